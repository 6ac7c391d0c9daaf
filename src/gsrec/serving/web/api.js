// What the server is asked. Its errors are told in its own words.

let key = null; // in memory only: gone with the page

/** Send this key from now on. */
export function useKey(value) {
  key = value;
}

/** An answer that refuses, or none at all (status 0). */
export class ServerError extends Error {
  constructor(status, { message, code = "unknown", where = null }) {
    super(message);
    Object.assign(this, { status, code, where });
  }
}

// Ids may be whole numbers beyond 2^53, which a plain JSON.parse would change without a word.
const isLost = (value, source) => Number.isInteger(value) && !Number.isSafeInteger(value) && /^-?\d+$/.test(source);
const read = (text) =>
  JSON.parse(text, (_, value, context) => (isLost(value, context?.source) ? BigInt(context.source) : value));
const write = (body) =>
  JSON.stringify(body, (_, value) => (typeof value === "bigint" ? JSON.rawJSON(String(value)) : value));

/** The server's answer to GET, or to POST where there is a body; throws ServerError, or AbortError when given up. */
export async function ask(path, { body, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (key !== null) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const sent = body === undefined ? {} : { method: "POST", body: write(body) };
  let response, text;
  try {
    response = await fetch(path, { ...sent, headers, signal, cache: "no-store" });
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(0, { message: "The server cannot be reached. Is it still running?" });
  }
  if (response.ok) return read(text);
  throw new ServerError(response.status, refusal(response, text));
}

function refusal(response, text) {
  try {
    const { error } = JSON.parse(text);
    if (typeof error.message === "string") return error;
  } catch {
    // not the server's own form: something between, such as a proxy, has answered
  }
  return { message: `The server answered ${response.status} ${response.statusText}`.trim() + "." };
}

/** Asks one thing at a time: a newer question gives up the older one, whose answer then never arrives. */
export class Newest {
  #controller = null;

  /** What `work(signal)` gives, or undefined if a newer question came meanwhile. */
  async run(work) {
    this.stop();
    const mine = (this.#controller = new AbortController());
    try {
      const found = await work(mine.signal);
      return mine.signal.aborted ? undefined : found;
    } catch (error) {
      if (mine.signal.aborted) return undefined;
      throw error;
    }
  }

  /** Give up the question that waits, if one does. */
  stop() {
    this.#controller?.abort();
  }
}
