// What can go wrong, as types: refusals that a person or a program can act on, faults of a request, and nobody there.
import type { ErrorCode, UserErrorFieldsFragment } from './generated/operations.js';

/** Anything that this package throws by itself. */
export class EarnestError extends Error {
  override get name(): string {
    return this.constructor.name;
  }
}

/** A code that this release knows, or one that a later release added. */
export type AnyErrorCode = ErrorCode | (string & {});

/**
 * The service said no, and nothing was changed. Branch on `code`; `payload` is what came beside the errors: after a
 * `VERSION_CONFLICT` the contract as it is now.
 */
export class Refused extends EarnestError {
  readonly code: AnyErrorCode;

  constructor(
    readonly errors: readonly UserErrorFieldsFragment[],
    readonly payload: Readonly<Record<string, unknown>>,
  ) {
    super(errors.map((error) => `${error.code}: ${error.message}`).join('; '));
    this.code = errors[0]!.code;
  }
}

/** A request as a whole was at fault, or we were: `code` as in `extensions.code`. */
export class OperationFailed extends EarnestError {
  constructor(
    readonly code: string,
    message: string,
    readonly extensions: Readonly<Record<string, unknown>> = {},
  ) {
    super(`${code}: ${message}`);
  }

  /** What to quote when asking about an `INTERNAL` error. */
  get traceId(): string | undefined {
    const told = this.extensions['traceId'];
    return typeof told === 'string' ? told : undefined;
  }
}

/** The key names nobody: it is wrong, was revoked or has expired. Asking again changes nothing. */
export class Unauthenticated extends OperationFailed {}

/** Too much was asked, for longer than `patienceSeconds`. */
export class RateLimited extends OperationFailed {}

/** The cursor is none of this log: another deployment's, or from after the moment that the log was restored to. Begin anew. */
export class BeyondTheLog extends EarnestError {}

/** Nobody answered for longer than `patienceSeconds`. What was asked may have been done: repeat it with its key. */
export class Unreachable extends EarnestError {}

/** The connection broke under a mutation without `@idempotent`: whether it was done is not known. */
export class UnsafeToRepeat extends Unreachable {}

/** A top-level error as its class. */
export function failed(code: string, message: string, extensions: Readonly<Record<string, unknown>> = {}): OperationFailed {
  if (code === 'UNAUTHENTICATED') return new Unauthenticated(code, message, extensions);
  if (code === 'RATE_LIMITED') return new RateLimited(code, message, extensions);
  return new OperationFailed(code, message, extensions);
}

/** Whether a refusal says that the cursor is none of this log, or none of it any more. */
export function isBeyond(code: unknown, message: string): boolean {
  if (code === 'LOG_CUT') return true;
  return code === 'BAD_REQUEST' && (message.includes('beyond the end of this log') || message.includes('has not reached'));
}
