/** Reads server-sent events one by one, as a browser's EventSource does. */
import { within } from '../support/until.ts'

/** Less than a heartbeat: what comes with that has not come at once. */
const NEXT_MS_MAX = 12_000

export interface ReadEvent {
  readonly event: string
  /** Null where the event does not move it. */
  readonly id: string | null
  readonly json: Record<string, unknown>
}

export class EventReader {
  readonly #reader: ReadableStreamDefaultReader<string>
  readonly #abort: AbortController
  #text = ''

  private constructor(body: ReadableStream<Uint8Array<ArrayBuffer>>, abort: AbortController) {
    this.#reader = body.pipeThrough(new TextDecoderStream()).getReader()
    this.#abort = abort
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<EventReader> {
    const abort = new AbortController()
    const accepting = { accept: 'text/event-stream', ...headers }
    const response = await fetch(url, { headers: accepting, signal: abort.signal })
    if (response.status !== 200 || response.body === null)
      throw new Error(`events: ${response.status} ${await response.text()}`)
    return new EventReader(response.body, abort)
  }

  /** The next event that says something; comments and waiting times are passed over. */
  async next(): Promise<ReadEvent> {
    for (;;) {
      const end = this.#text.indexOf('\n\n')
      if (end === -1) {
        const { done, value } = await within('the next event', this.#reader.read(), NEXT_MS_MAX)
        if (done) throw new Error('the stream has ended')
        this.#text += value
        continue
      }
      const block = this.#text.slice(0, end)
      this.#text = this.#text.slice(end + 2)
      const fields = new Map(
        block.split('\n').map((line) => [line.split(': ')[0], line.slice(line.indexOf(': ') + 2)]),
      )
      const data = fields.get('data')
      if (data === undefined) continue
      return {
        event: fields.get('event') ?? 'message',
        id: fields.get('id') ?? null,
        json: JSON.parse(data) as Record<string, unknown>,
      }
    }
  }

  async ended(): Promise<boolean> {
    const { done } = await within('the end of the stream', this.#reader.read())
    return done
  }

  close(): void {
    this.#abort.abort()
  }

  /** Resolves when the connection is given up on this side. */
  async gone(): Promise<void> {
    await this.#reader.closed.catch(() => {})
  }
}
