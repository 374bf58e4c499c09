/**
 * What a command says: results to standard output, as sentences or with `--json` as one JSON document (one per line
 * while live); everything else to standard error, progress only to a terminal.
 */
import { SingleBar } from 'cli-progress'
import type { AnyDomain, AnyOp, Durability } from '@rejoin/core'
import type { Persistence, Replica } from '@rejoin/replica'
import type { FolderFinding } from '@rejoin/persistence-level/node'
import { findingEvents } from '../wiring/finding.ts'

export interface Output {
  readonly json: boolean
  /** The one result of a command, or one of a live command's many. */
  result(value: unknown, sentences: string): void
  /** A remark for people; left out with `--json`. */
  note(sentence: string): void
  /** What people and programs alike must not miss. */
  warning(sentence: string): void
  /** `more`: what else programs are told. */
  failure(code: string, message: string, path: string | null, more?: object): void
  /** Counts work up to `total`; shown on a terminal only. */
  progress(what: string, total: number): Progress
  /** Says how far work without a known end has come; shown on a terminal only, in one line. */
  ticker(): Ticker
}

export interface Ticker {
  say(text: string): void
  end(): void
}

export interface Progress {
  done(count: number): void
  end(): void
}

export interface Streams {
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean }
}

export function openOutput(streams: Streams, json: boolean): Output {
  const { stdout, stderr } = streams
  return {
    json,
    result: (value, sentences) => stdout.write(`${json ? JSON.stringify(value) : sentences}\n`),
    note: (sentence) => {
      if (!json) stderr.write(`${sentence}\n`)
    },
    warning: (sentence) => {
      stderr.write(`rejoin: ${sentence}\n`)
    },
    failure: (code, message, path, more = {}) => {
      if (json) stdout.write(`${JSON.stringify({ error: { code, message, path, ...more } })}\n`)
      stderr.write(`rejoin: ${message} [${code}]\n`)
    },
    progress: (what, total) => {
      if (stderr.isTTY !== true) return { done: () => {}, end: () => {} }
      const bar = new SingleBar({
        stream: stderr,
        format: `${what} [{bar}] {value}/{total}`,
        clearOnComplete: true,
      })
      bar.start(total, 0)
      return { done: (count) => bar.update(count), end: () => bar.stop() }
    },
    ticker: () => {
      if (stderr.isTTY !== true) return { say: () => {}, end: () => {} }
      // To the beginning of the line, and nothing of what it said before.
      const say = (text: string): void => void stderr.write(`\r\u001b[2K${text}`)
      return { say, end: () => say('') }
    },
  }
}

/** What became of writing: `gone` where who reads has had enough (`| head`), or why it fails. */
export type Outlet = 'works' | 'gone' | Error

/**
 * Keeps a failing write from ending the process half-way: what is said after it goes nowhere, and the work is brought to
 * its end. Says how it went.
 */
export function watchOutlet({ stdout, stderr }: Streams): () => Outlet {
  let outlet: Outlet = 'works'
  const failed = (error: NodeJS.ErrnoException): void => {
    if (outlet === 'works') outlet = isGone(error) ? 'gone' : error
  }
  stdout.on('error', failed)
  stderr.on('error', failed)
  return () => outlet
}

/** Calls `stop` when nobody reads any more. Returns how to stop listening. */
export function onReaderGone({ stdout, stderr }: Streams, stop: () => void): () => void {
  const failed = (error: NodeJS.ErrnoException): void => {
    if (isGone(error)) stop()
  }
  const streams = [stdout, stderr]
  for (const stream of streams) stream.on('error', failed)
  return () => {
    for (const stream of streams) stream.off('error', failed)
  }
}

/** A pipe without a reader, or a terminal that was closed. */
function isGone({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EPIPE' || code === 'EIO'
}

export function bytesText(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`
  return bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** `1 commit`, `2 commits`. */
export function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

export function timeText(ms: number | null): string {
  return ms === null ? 'never' : new Date(ms).toISOString()
}

/** `2 FindingNoted, 1 Tagged`. */
export function opsText(ops: readonly AnyOp[]): string {
  const counts = new Map<string, number>()
  for (const { type } of ops) counts.set(type, (counts.get(type) ?? 0) + 1)
  return [...counts].map(([type, count]) => `${count} ${type}`).join(', ')
}

/** @param version of the domain, which the document holds commits of. */
export function newerSentence({ name, version: known }: AnyDomain, version: number): string {
  return `the document is newer than this app: reading only; it holds version ${version} of the domain ${name}, this app knows ${known}: update it to write again`
}

/**
 * What a folder lost, or a crash cut short, is told by the first that opens it. That its user was only killed is no news for a
 * command.
 */
export function tellLosses(
  output: Output,
  found: FolderFinding,
  data: string,
  whose: 'hub' | 'replica' = 'replica',
): void {
  for (const { level, message } of findingEvents(found, data, whose)) {
    if (level === 'warn') output.warning(message)
  }
}

/** That a replica has another id than it had is told once, by the first that opens it. */
export function tellCopy(
  output: Output,
  { id, namespace, outbox, status }: Pick<Replica<AnyDomain>, 'id' | 'namespace' | 'outbox' | 'status'>,
): void {
  if (status.copyOf === null) return
  const shared = outbox.filter((commit) => commit.id.replica !== id).length
  const both = `${countText(shared, 'commit')} that both hold ${shared === 1 ? 'is' : 'are'} sent under the old id`
  output.warning(
    `this folder is a copy: the replica of ${namespace} was ${status.copyOf} and is ${id} from now on` +
      (shared === 0 ? '' : `; ${both}`),
  )
}

/** Why it is not saved, or null where the store works. */
export function persistenceText(persistence: Persistence): string | null {
  if (persistence === 'ok') return null
  const { state, cause, count } = persistence
  const then = state === 'lost' ? 'open the folder anew' : 'it is tried again'
  return `${countText(count, 'step')} not saved, ${then}: ${cause.message} [${cause.code}]`
}

/** Null where it stands for what everybody expects, and where nobody has said anything yet. */
export function appliedText(durability: Durability | null): string | null {
  return durability === 'applied' ? 'applied: it outlives the process, and is synced to the disk later' : null
}
