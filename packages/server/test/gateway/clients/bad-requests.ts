/** Test support: requests that no vendor's model can be asked, in each dialect, and the field that must be named. */
export interface BadRequestCase {
  readonly name: string;
  /** Beside, or in place of, the fields of the least request. */
  readonly fields: object;
  readonly param: string;
  /** The field is right, but nobody else has it. */
  readonly code?: 'unsupported_parameter';
}

export interface BadRequests {
  readonly dialect: string;
  readonly path: (model: string) => string;
  readonly least: (model: string) => object;
  readonly cases: readonly BadRequestCase[];
  /** More than 20 MB of it. */
  readonly hugeImage: (base64: string) => { readonly fields: object; readonly param: string };
  /** The code and the param of an error body, in this dialect's place for them. */
  readonly readError: (body: ErrorBody) => readonly [string | undefined, string | undefined];
}

export interface ErrorBody {
  readonly type?: string;
  readonly error?: {
    readonly type?: string;
    readonly code?: string;
    readonly param?: string;
    readonly status?: string;
    readonly details?: readonly {
      readonly reason?: string;
      readonly metadata?: { readonly param?: string };
    }[];
  };
}

/** Objects in each other, this many levels of them. */
function nest(levels: number): object {
  return levels === 0 ? {} : { type: 'object', properties: { a: nest(levels - 2) } };
}

export const DEEP = nest(40);
export const USER = { role: 'user', content: 'Hi' };
