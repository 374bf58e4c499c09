/**
 * What a command says: results to standard output, as sentences or with `--json` as one JSON document (one per line
 * while live); everything else to standard error, progress only to a terminal.
 */
import { SingleBar } from 'cli-progress'
import type { AnyDomain, AnyOp } from '@rejoin/core'

export interface Output {
  readonly json: boolean
  /** The one result of a command, or one of a live command's many. */
  result(value: unknown, sentences: string): void
  /** A remark for people; left out with `--json`. */
  note(sentence: string): void
  failure(code: string, message: string, path: string | null): void
  /** Counts work up to `total`; shown on a terminal only. */
  progress(what: string, total: number): Progress
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
    failure: (code, message, path) => {
      if (json) stdout.write(`${JSON.stringify({ error: { code, message, path } })}\n`)
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
