// URLs as Python's urllib.parse reads and writes them, since Airflow's connection URIs are defined by it.

/** The parts of `urlsplit`, before anything is unquoted; `port` is text. */
export interface UrlParts {
  readonly scheme: string;
  readonly netloc: string;
  readonly path: string;
  readonly query: string;
  readonly username: string | null;
  readonly password: string | null;
  /** Lower case but for an IPv6 zone; null when there is none. */
  readonly hostname: string | null;
  readonly port: string | null;
}

/** `urlsplit`; null when the host is no proper one (`Invalid IPv6 URL` and its kin). */
export function splitUrl(url: string): UrlParts | null {
  let rest = withoutLeadingControls(url).replace(/[\t\r\n]/g, '');
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(rest)?.[1] ?? '';
  if (scheme !== '') rest = rest.slice(scheme.length + 1);
  let netloc = '';
  if (rest.startsWith('//')) {
    const end = rest.slice(2).search(/[/?#]/);
    netloc = end < 0 ? rest.slice(2) : rest.slice(2, end + 2);
    rest = end < 0 ? '' : rest.slice(end + 2);
    if (!isHostProper(netloc)) return null;
  }
  const [beforeFragment = ''] = rest.split('#', 1);
  const [path, query] = cutAt(beforeFragment, '?');
  return { scheme: scheme.toLowerCase(), netloc, path, query: query ?? '', ...splitNetloc(netloc) };
}

/** Python drops control characters and spaces in front. */
function withoutLeadingControls(url: string): string {
  let at = 0;
  while (at < url.length && url.charCodeAt(at) <= 0x20) at += 1;
  return url.slice(at);
}

function isHostProper(netloc: string): boolean {
  if (netloc.includes('[') !== netloc.includes(']')) return false;
  if (netloc.includes('[')) {
    const bracketed = cutAt(cutAt(netloc, '[')[1] ?? '', ']')[0];
    if (!/^v[0-9a-f]+\..+$/i.test(bracketed) && !isIpv6(bracketed)) return false;
  }
  const bare = netloc.replace(/[@:#?]/g, '');
  const normal = bare.normalize('NFKC');
  return normal === bare || !/[/?#@:]/.test(normal);
}

function isIpv6(text: string): boolean {
  const [address, zone] = cutAt(text, '%');
  if (zone === '' || zone?.includes('%') === true) return false;
  try {
    return new URL(`http://[${address}]/`).hostname !== '';
  } catch {
    return false;
  }
}

function splitNetloc(netloc: string): Pick<UrlParts, 'username' | 'password' | 'hostname' | 'port'> {
  const at = netloc.lastIndexOf('@');
  const [username, password] = at < 0 ? [null, null] : cutAt(netloc.slice(0, at), ':');
  const place = netloc.slice(at + 1);
  const bracketed = cutAt(place, '[')[1];
  const [host, rest] = bracketed === null ? [cutAt(place, ':')[0], cutAt(place, ':')[1]] : [cutAt(bracketed, ']')[0], cutAt(cutAt(bracketed, ']')[1] ?? '', ':')[1]];
  const [name, zone] = cutAt(host, '%');
  return { username, password, hostname: host === '' ? null : `${name.toLowerCase()}${zone === null ? '' : `%${zone}`}`, port: rest === '' ? null : rest };
}

/** The text before and after the first separator; null when there is none. */
export function cutAt(text: string, separator: string): [string, string | null] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + separator.length)];
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** `unquote`: what is no escape stays, what is no UTF-8 becomes U+FFFD. */
export function unquote(text: string): string {
  return text.includes('%') ? text.replace(/\p{ASCII}+/gu, (run) => utf8.decode(bytesOf(run))) : text;
}

function bytesOf(run: string): Uint8Array {
  const bytes: number[] = [];
  for (let at = 0; at < run.length; at += 1) {
    const escape = /^%([0-9a-f]{2})/i.exec(run.slice(at, at + 3));
    bytes.push(escape === null ? run.charCodeAt(at) : Number.parseInt(escape[1] ?? '', 16));
    if (escape !== null) at += 2;
  }
  return Uint8Array.from(bytes);
}

/** `dict(parse_qsl(query, keep_blank_values=True))`. */
export function parseQuery(query: string): Map<string, string> {
  const plain = (text: string): string => unquote(text.replaceAll('+', ' '));
  return new Map(query.split('&').filter((part) => part !== '').map((part) => {
    const [name, value] = cutAt(part, '=');
    return [plain(name), plain(value ?? '')];
  }));
}

/** `quote(text, safe='')`. */
export function quote(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** `urlencode` of texts. */
export function renderQuery(fields: Readonly<Record<string, string>>): string {
  const plus = (text: string): string => quote(text).replaceAll('%20', '+');
  return Object.entries(fields).map(([name, value]) => `${plus(name)}=${plus(value)}`).join('&');
}
