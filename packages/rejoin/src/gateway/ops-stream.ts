/**
 * `GET /v1/NAMESPACE/ops?after=SEQ`: the log's commits with their ops, as JSON lines up to the head, or as server-sent events
 * that stay live. The next page is read when the last one was taken, so a page is all that is in memory. A reader that takes
 * nothing for `limits.backlogMsMax`, whose sign-in ends, or whose hub closes, is let go.
 */
import {
  checkNamespace,
  limits,
  onSignInEnd,
  parseHlc,
  signInEnd,
  SyncError,
  type Clock,
  type HubStore,
  type Namespace,
  type Seq,
} from '@rejoin/core'
import { LogGap, readRecords, type LogEntry, type Principal } from '@rejoin/hub'
import type { RouteRequest } from '@rejoin/transport/server'
import { refusalAnswer, streamedAnswer } from './answers.ts'
import type { LogSignals } from './log-signals.ts'

export interface OpsStreamsOptions {
  readonly store: HubStore
  readonly signals: LogSignals
  readonly clock: Clock
  readonly onFault: (error: unknown) => void
}

/** Streams at once. */
const STREAMS_MAX = 512
/** Milliseconds after which a reader of events should come back. */
const RETRY_MS = 2_000

export class OpsStreams {
  readonly #options: OpsStreamsOptions
  #count = 0

  constructor(options: OpsStreamsOptions) {
    this.#options = options
  }

  /** Null: nothing is at this path. @throws SyncError why it is refused. */
  async handle(request: RouteRequest<Principal>, principal: Principal): Promise<Response | null> {
    const name = /^\/v1\/([^/]+)\/ops$/.exec(request.url.pathname)?.[1]
    if (name === undefined || request.method !== 'GET') return null
    const namespace = checkNamespace(decoded(name))
    const { store, clock, onFault } = this.#options
    await checkReadable(store, principal, namespace)
    const isLive = (request.headers.get('accept') ?? '').includes('text/event-stream')
    const after = afterOf(request, isLive)
    const refused = await whyNotAfter(store, namespace, after, isLive)
    if (refused !== null) return refused
    if (this.#count >= STREAMS_MAX) {
      throw new SyncError('RATE_LIMITED', `${STREAMS_MAX} streams are open`, { retryAfterMs: RETRY_MS })
    }
    const parts = isLive
      ? this.#events(namespace, after, request.signal, principal)
      : this.#lines(namespace, after, principal)
    const type = isLive ? 'text/event-stream' : 'application/x-ndjson'
    return await streamedAnswer(this.#counted(parts), type, clock, onFault)
  }

  async *#counted(parts: AsyncGenerator<string, void>): AsyncGenerator<string, void> {
    this.#count++
    try {
      yield* parts
    } finally {
      this.#count--
    }
  }

  async *#lines(namespace: Namespace, after: Seq, principal: Principal): AsyncGenerator<string, void> {
    const { store, clock } = this.#options
    let at = after
    try {
      const reading = await readRecords(store, namespace, after)
      if (reading.kind === 'gap') yield `${JSON.stringify(reading)}\n`
      if (reading.kind !== 'records') return
      for await (const page of reading.pages) {
        // What somebody may do may change while they read.
        const ended = readingEnd(principal, namespace, clock.now())
        if (ended !== null) return yield `${JSON.stringify({ kind: 'end', ...ended })}\n`
        yield page.flatMap((entry) => linesOf(entry).map((line) => `${line}\n`)).join('')
        at = page.at(-1)?.seq ?? at
      }
    } catch (error) {
      if (!(error instanceof LogGap)) throw error
      yield `${JSON.stringify({ kind: 'gap', after: at, floor: error.floor })}\n`
    }
  }

  async *#events(
    namespace: Namespace,
    after: Seq,
    signal: AbortSignal,
    principal: Principal,
  ): AsyncGenerator<string, void> {
    const { clock, signals } = this.#options
    const waiting = new Waiting(clock)
    let ended: { readonly code: string; readonly message: string } | null = null
    const end = (code: string, message: string): void => {
      ended ??= { code, message }
      waiting.wake()
    }
    // What somebody may do may change while they listen.
    const goesOn = (): boolean => {
      const why = readingEnd(principal, namespace, clock.now())
      if (why !== null) end(why.code, why.message)
      return ended === null
    }
    const closing = (): void => end('HUB_CLOSING', 'the hub is closing, or nobody listens any more')
    const stopWatching = onSignInEnd(principal, clock, ({ code, message }) => end(code, message))
    const unfollow = signals.follow(namespace, () => waiting.wake())
    signal.addEventListener('abort', closing)
    if (signal.aborted) closing()
    try {
      yield `retry: ${RETRY_MS}\n\n`
      let at = after
      while (goesOn()) {
        // Before the log is read, so that what is appended meanwhile is not slept over.
        waiting.arm()
        let news = ''
        for await (const chunk of this.#newEvents(namespace, at)) {
          if (!goesOn()) break
          at = chunk.at
          news = chunk.text
          yield news
        }
        if (!goesOn() || news !== '') continue
        if ((await waiting.wait(limits.heartbeatMs)) === 'late') yield ': beat\n\n'
      }
      yield event('end', JSON.stringify(ended))
    } finally {
      stopWatching()
      unfollow()
      signal.removeEventListener('abort', closing)
    }
  }

  /** What is in the log after `at`, page by page. */
  async *#newEvents(
    namespace: Namespace,
    at: Seq,
  ): AsyncGenerator<{ readonly at: Seq; readonly text: string }, void> {
    const { store } = this.#options
    try {
      const reading = await readRecords(store, namespace, at)
      if (reading.kind === 'gap') yield gapEvent(at, reading.floor)
      if (reading.kind !== 'records') return
      for await (const page of reading.pages) {
        at = page.at(-1)?.seq ?? at
        yield { at, text: page.map(eventsOf).join('') }
      }
    } catch (error) {
      if (!(error instanceof LogGap)) throw error
      yield gapEvent(at, error.floor)
    }
  }
}

/** Why somebody who could read may not any more, or null. */
function readingEnd(
  principal: Principal,
  namespace: Namespace,
  nowMs: number,
): { readonly code: string; readonly message: string } | null {
  const why = signInEnd(principal, nowMs)
  if (why !== null) return { code: why.code, message: why.message }
  if (principal.canRead(namespace)) return null
  return { code: 'FORBIDDEN', message: `${principal.name} may not read ${namespace} any more` }
}

/** A sleep that something may cut short. */
class Waiting {
  readonly #clock: Clock
  #sleep = new AbortController()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  arm(): void {
    this.#sleep = new AbortController()
  }

  wake(): void {
    this.#sleep.abort()
  }

  async wait(ms: number): Promise<'woken' | 'late'> {
    const { signal } = this.#sleep
    await this.#clock.sleep(ms, signal)
    return signal.aborted ? 'woken' : 'late'
  }
}

/** What is no UTF-8 is no name either. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

async function checkReadable(store: HubStore, principal: Principal, namespace: Namespace): Promise<void> {
  if (!principal.canRead(namespace)) {
    throw new SyncError('FORBIDDEN', `${principal.name} may not read ${namespace}; ask for that scope`)
  }
  const state = await store.state(namespace)
  if (state === 'present') return
  const [code, what] =
    state === 'removed'
      ? (['NAMESPACE_DELETED', 'was removed from'] as const)
      : (['NAMESPACE_UNKNOWN', 'does not exist on'] as const)
  throw new SyncError(code, `${namespace} ${what} this hub`)
}

/** @throws SyncError INPUT_INVALID */
function afterOf({ url, headers }: RouteRequest<Principal>, isLive: boolean): Seq {
  const text = (isLive ? headers.get('last-event-id') : null) ?? url.searchParams.get('after') ?? '0'
  const after = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(after)) return after
  throw new SyncError(
    'INPUT_INVALID',
    `after is ${JSON.stringify(text.slice(0, 60))}; give a seq of the log, or 0`,
  )
}

/** A place that is not in this log: too old for lines, which could only begin later, or of another history. */
async function whyNotAfter(
  store: HubStore,
  namespace: Namespace,
  after: Seq,
  isLive: boolean,
): Promise<Response | null> {
  const reading = await readRecords(store, namespace, after, { records: 1, bytes: 1 })
  if (reading.kind === 'gap') {
    if (isLive) return null
    const { floor, head } = reading
    const message = `the log of ${namespace} begins after ${floor}: read from there, with a snapshot at or after it`
    return refusalAnswer({ status: 410, error: 'REVISION_GAP', message, more: { after, floor, head } })
  }
  const head = (await store.heads([namespace])).get(namespace)?.head ?? 0
  const isPlace = reading.kind === 'records' ? reading.isPlace : after <= head
  if (isPlace) return null
  const message = `no record of ${namespace} ends at ${after} (head ${head}): the hub was restored from a backup, or it is another one`
  return refusalAnswer({ status: 409, error: 'HISTORY_DIVERGED', message, more: { after, head } })
}

/** One line a commit; what a record of another kind brings, no op says. */
function linesOf({ seq, at, record }: LogEntry): readonly string[] {
  const { epoch } = record
  const time = at === null ? null : new Date(at).toISOString()
  if (record.kind === 'rebuild')
    return [JSON.stringify({ kind: 'rebuild', seq, epoch, time, digest: record.digest })]
  if (record.kind === 'heal') {
    const { lost, healed } = record
    const by = healed === null ? null : { ...healed.id, principal: healed.principal }
    return [JSON.stringify({ kind: 'heal', seq, epoch, time, lost, healed: by })]
  }
  return record.commits.map(({ id, hlc, domainVersion, principal, opsJson }) => {
    // Where the hub's own time was not kept, the author's says most.
    const when = time ?? new Date(parseHlc(hlc).ms).toISOString()
    const head = { kind: 'commit', seq, ...id, hlc, time: when, principal, epoch, domainVersion }
    // The ops are JSON already, and one op may be megabytes.
    return `${JSON.stringify(head).slice(0, -1)},"ops":${opsJson}}`
  })
}

/** Whoever resumes gets a record whole: only its last event moves the id. */
function eventsOf(entry: LogEntry): string {
  const lines = linesOf(entry)
  const texts = lines.map(
    (line, i) => `${i === lines.length - 1 ? `id: ${entry.seq}\n` : ''}data: ${line}\n\n`,
  )
  return texts.join('')
}

/** The stream goes on after the floor: what a document was there, a snapshot tells. */
function gapEvent(after: Seq, floor: Seq): { readonly at: Seq; readonly text: string } {
  return { at: floor, text: `id: ${floor}\n${event('gap', JSON.stringify({ after, floor }))}` }
}

function event(name: string, data: string): string {
  return `event: ${name}\ndata: ${data}\n\n`
}
