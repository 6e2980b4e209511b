/**
 * The shape of every management endpoint: declared as data, handled by a function that reads and decides but never
 * writes. A change is returned as steps and events, and `applyChange` commits them together: no record, no change.
 */
import type { ControlPermission } from '@keyfold/protocol';
import type { ZodType, z } from 'zod';
import type { AuditEvent } from '../audit/audit-event.ts';
import type { Denial } from '../kernel/denial.ts';
import type { Principal } from '../keys/key.ts';
import type { Step } from '../storage/statement.ts';
import type { PresentedRequest } from '../signing/presented.ts';

/** What the listener knows of a request beyond what Hono reads. */
export interface ControlBindings {
  readonly presented: PresentedRequest;
  readonly requestId: string;
  readonly address: string;
  readBody(isProved: boolean): Promise<Buffer | Denial>;
  vouch(): void;
}

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [name: string]: Json | undefined };

export interface Reply {
  readonly status: 200 | 201 | 204;
  readonly body: Json | undefined;
  /** Instead of JSON. */
  readonly text?: { readonly contentType: string; readonly content: string };
  /** Instead of JSON, what has no end in sight. */
  readonly stream?: StreamedText;
}

export interface StreamedText {
  readonly contentType: string;
  /** Each piece is asked for when the client has room for it. `signal` aborts when the client has left. */
  pieces(signal: AbortSignal): AsyncIterable<string>;
}

/** What is to happen, what is recorded of it, and what the caller is told once it is durable. */
export interface Change {
  readonly steps: readonly Step[];
  readonly events: readonly Omit<
    AuditEvent,
    'actor' | 'decision' | 'requestId' | 'organizationId' | 'address'
  >[];
  readonly reply: Reply;
  /** What is said when the first, second, … of `steps` is refused; a conflict with another change where nothing is given. */
  readonly refusals?: readonly Denial[];
  /** Only adds what nothing was decided on before, such as a new key: what is cached and under way stays valid. */
  readonly isAdditive?: boolean;
  /** Called once the change is durable. */
  readonly afterwards?: () => void;
}

export interface Call<Params, Query, Body> {
  readonly principal: Principal;
  readonly requestId: string;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** A header of the request by its lower-case name. */
  readonly header: (name: string) => string | undefined;
}

export interface Endpoint<
  P extends ZodType = ZodType,
  Q extends ZodType = ZodType,
  B extends ZodType = ZodType,
> {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** With `{name}` for parameters, as OpenAPI writes it; the last may be `{+name}`, which takes slashes (RFC 6570). */
  readonly path: string;
  /** Absent: any key may call it, about itself. */
  readonly permission: ControlPermission | undefined;
  readonly tag: string;
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** Version 1 of signatures binds neither method nor path: accepted only where a request changes and reveals nothing. */
  readonly acceptsVersion1?: boolean;
  /** The form of a refusal; an RFC 9457 problem unless clients of this path expect another. */
  readonly refusal?: 'openai' | 'validation';
  /** The body of a success, for the OpenAPI document. */
  readonly response: {
    readonly status: 200 | 201 | 204;
    readonly schema?: ZodType;
    readonly contentType?: string;
  };
  handle(call: Call<z.infer<P>, z.infer<Q>, z.infer<B>>): Promise<Reply | Change | Denial>;
}

/** Keeps the schemas' types for the handler, and forgets them for the table that all endpoints stand in. */
export function defineEndpoint<P extends ZodType, Q extends ZodType, B extends ZodType>(
  endpoint: Endpoint<P, Q, B>,
): Endpoint {
  return endpoint;
}

export function ok(body: Json): Reply {
  return { status: 200, body };
}
