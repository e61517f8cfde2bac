// The client of Earnest, milestone escrow as a service: `Earnest` first; the rest stands beside it.
export * from './chains.js';
export { Earnest, type Following } from './client.js';
export * from './errors.js';
export * from './generated/operations.js';
export * from './keys.js';
export * from './lists.js';
export { Mirror } from './mirror.js';
export * from './mirror_stores.js';
export * from './places.js';
export { StreamEnded, type TransportOptions } from './transport.js';
export { NotVerified, isVoid, verify, type LogCut, type StoredEvent, type Verifying, type Webhook } from './webhooks.js';
