/** Reads the address of a gateway, and keeps keys from travelling where they can be read. */

export interface BaseUrlOptions {
  /** Permits `http:` to other machines: for networks that are nobody else's. */
  readonly allowPlaintext?: boolean | undefined;
}

/** Where a gateway answers; `prefix` is the path in front of its `/v1`, mostly empty. */
export interface BaseUrl {
  readonly origin: string;
  readonly prefix: string;
}

/**
 * Takes the server's address as well as the base URL that other SDKs use, which ends in `/v1`. Throws `TypeError` for what
 * is no plain http(s) URL, and for `http:` to another machine unless that is permitted.
 */
export function readBaseUrl(text: string | URL, options: BaseUrlOptions = {}): BaseUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (url === undefined || !isHttp || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw new TypeError('baseUrl must be the address of a Keyfold server, such as https://keyfold.example');
  }
  if (url.protocol === 'http:' && options.allowPlaintext !== true && !isLoopback(url.hostname)) {
    throw new TypeError(
      `the key would travel to ${url.host} unencrypted: use https, or set allowPlaintext where the network is your own`,
    );
  }
  return { origin: url.origin, prefix: url.pathname.replace(/\/(?:v1\/?)?$/, '') };
}

function isLoopback(hostname: string): boolean {
  return /^(?:localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}
