/**
 * What a command says: results to standard output, as sentences or with `--json` as one JSON document (one per line
 * while live); everything else to standard error, progress only to a terminal.
 */
import { SingleBar } from 'cli-progress'

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
