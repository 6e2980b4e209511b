/** Responsible for what each kind of failure says about trying again. */
import type { FailureClass, FailureKind } from './provider.ts';

const RETRY: Readonly<Record<FailureKind, FailureClass['retry']>> = {
  request: 'never',
  credential: 'elsewhere',
  permission: 'elsewhere',
  model: 'elsewhere',
  quota: 'elsewhere',
  rate_limit: 'elsewhere',
  overload: 'anywhere',
  server: 'anywhere',
};

export function failureClass(kind: FailureKind): FailureClass {
  return { kind, retry: RETRY[kind] };
}
