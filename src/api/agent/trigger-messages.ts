// What trigger hosts send, parsed at the edge: code of triggers may have put anything into it.
import type { CallAnswer } from '#contract/attempt.ts';
import { LIMITS } from '#contract/config.ts';
import type { TriggerEvent, TriggerWatch } from '#contract/execution-api.ts';
import { isUuid, type TriggerId } from '#contract/ids.ts';
import { type Fields, fieldsOf, invalid, parseError, textOf } from './agent-messages.ts';

const END_STATES = ['success', 'failed', 'skipped'] as const;

/** Body of `triggers/watch`. */
export function parseTriggerWatch(body: unknown): TriggerWatch {
  const fields = fieldsOf(body, 'a watch');
  const { pid, running, ending = [] } = fields;
  if (typeof pid !== 'number' || !isIdList(running) || !isIdList(ending)) throw invalid('a watch without pid or triggers');
  return { fork_server: textOf(fields['fork_server'], 'a fork server', 100), pid, running: running.map(triggerIdOf), ending: ending.map(triggerIdOf) };
}

/** Body of `triggers/events`. */
export function parseTriggerEvents(body: unknown): { readonly forkServerId: string; readonly events: readonly TriggerEvent[] } {
  const fields = fieldsOf(body, 'trigger events');
  const { events } = fields;
  if (!Array.isArray(events) || events.length > LIMITS.maxTriggerEventsAtOnce) throw invalid('events that are no list, or too many');
  return { forkServerId: textOf(fields['fork_server'], 'a fork server', 100), events: events.map(eventOf) };
}

/** Body of `call`. */
export function parseCallAnswer(body: unknown): { readonly id: string; readonly answer: CallAnswer } {
  const fields = fieldsOf(body, 'an answer');
  const id = textOf(fields['id'], 'the id of a call', 100);
  if (fields['error'] !== undefined) return { id, answer: { kind: 'failed', error: parseError(fields['error']) } };
  return { id, answer: { kind: 'done', value: jsonOf(fields['answer'], 'an answer') } };
}

function isIdList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length <= LIMITS.maxHostTriggers;
}

function triggerIdOf(value: unknown): TriggerId {
  if (typeof value !== 'string' || !isUuid(value)) throw invalid('no trigger id');
  return value as TriggerId;
}

function eventOf(value: unknown): TriggerEvent {
  const fields = fieldsOf(value, 'an event');
  const trigger_id = triggerIdOf(fields['trigger_id']);
  switch (fields['kind']) {
    case 'event': return { trigger_id, kind: 'event', payload: jsonOf(fields['payload'], 'a payload'), ...(fields['told_id'] === undefined ? {} : { told_id: triggerIdOf(fields['told_id']) }) };
    case 'failed': {
      const lines = Array.isArray(fields['traceback']) ? fields['traceback'] : [];
      return { trigger_id, kind: 'failed', error: textOf(fields['error'] ?? 'Trigger failure', 'an error', 500), traceback: lines.slice(-200).map((line) => textOf(line, 'a traceback', 4000)) };
    }
    case 'ended': return { trigger_id, kind: 'ended', state: endStateOf(fields), xcoms: xcomsOf(fields['xcoms']) };
    default: throw invalid(`an event of an unknown kind ${JSON.stringify(fields['kind'])}`);
  }
}

function endStateOf(fields: Fields): (typeof END_STATES)[number] {
  const state = END_STATES.find((one) => one === fields['state']);
  if (state === undefined) throw invalid(`an unknown state ${JSON.stringify(fields['state'])}`);
  return state;
}

function xcomsOf(value: unknown): { key: string; value: string }[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid('XComs that are no list');
  return value.map((item) => {
    const fields = fieldsOf(item, 'an XCom');
    return { key: textOf(fields['key'], 'an XCom key', 512), value: jsonOf(fields['value'], 'an XCom value') };
  });
}

/** JSON text as it was written, once it is known to be JSON. */
function jsonOf(value: unknown, what: string): string {
  if (typeof value !== 'string' || !value.isWellFormed()) throw invalid(`${what} that is no proper text`);
  try {
    JSON.parse(value);
  } catch {
    throw invalid(`${what} that is no JSON`);
  }
  return value;
}
