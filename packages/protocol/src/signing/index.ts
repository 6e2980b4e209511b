/** What a signer and a verifier must agree on: rules, and the exact text that each scheme signs. No cryptography here. */
export * from './base64.ts';
export { type Component, type SignedMessage, requiredComponents } from './components.ts';
export * from './content-digest.ts';
export * from './http-signature.ts';
export * from './rules.ts';
export type { BareItem, ItemParameters, Token } from './structured-fields.ts';
export * from './version-1.ts';
export * from './version-2.ts';
