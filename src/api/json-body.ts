// Reads a request's body as JSON, with FastAPI's refusal of what is none.
import { LIMITS } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import { errorText } from '#platform/report.ts';
import { HttpProblem, invalid } from './problems.ts';

/** The JSON of a body that a request needs. Throws FastAPI's 422 when it is none, and `invalid_json` when it is nested too deeply. */
export function parseJsonBody(text: string): unknown {
  if (isTooDeep(text)) throw new AppError('invalid_json', `the body is nested deeper than ${LIMITS.maxJsonDepth} levels`, { hint: 'Send a flatter one.' });
  return checkJson(text);
}

/** The same without a limit of depth, for values that nobody writes again. */
export function checkJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notJson(text);
  }
}

/** FastAPI's 422 for a text that is no JSON. */
export function notJson(text: string): HttpProblem {
  return invalid([{ type: 'json_invalid', loc: ['body', jsonFault(text)], msg: 'JSON decode error', input: {}, ctx: { error: 'Expecting value' } }]);
}

/** Whether too many brackets are open at once, outside of strings. Deep nesting ends the stack of whoever writes the value later. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') at = endOfString(text, at);
    else if (char === '[' || char === '{') depth += 1;
    else if (char === ']' || char === '}') depth -= 1;
    if (depth > LIMITS.maxJsonDepth) return true;
  }
  return false;
}

/** Where the string that begins at `start` ends: a quote after an even number of backslashes. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text[at - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return at;
  }
  return text.length;
}

/** Where the text stops being JSON, as far as the parser tells. */
function jsonFault(text: string): number {
  try {
    JSON.parse(text);
  } catch (error) {
    return Number(/position (\d+)/.exec(errorText(error))?.[1] ?? 0);
  }
  return 0;
}
