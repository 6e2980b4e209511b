/** Everything Keyfold's server and its clients must agree on. No dependency, runs in any JavaScript runtime. */
export * from './audit/index.ts';
export * from './errors.ts';
export * from './ids.ts';
export * from './money.ts';
export * from './permissions.ts';
export * from './secret-format.ts';
export * from './signing/index.ts';
