/** Writers in the hub's own process, without a codec and a socket between. */
import { anyone, type Hub } from '@rejoin/hub'
import type { PreparedWriter } from './prepared.ts'
import { RawChannel } from './raw-channel.ts'
import { Writer } from './writer.ts'

export interface AckRun {
  /** From the first push to the last ack. */
  readonly ms: number
  /** Milliseconds from push to ack, one a commit. */
  readonly latenciesMs: readonly number[]
}

/** Until every commit is acknowledged. */
export async function runWriters(writers: readonly Writer[]): Promise<AckRun> {
  await Promise.all(writers.map((writer) => writer.ready))
  const startedAt = performance.now()
  await Promise.all(writers.map((writer) => writer.pushAll()))
  const ms = performance.now() - startedAt
  const answered = writers.flatMap((writer) => writer.answered)
  return { ms, latenciesMs: answered.map(({ pushedAtMs, ackedAtMs }) => ackedAtMs - pushedAtMs) }
}

export function openRawWriter(hub: Hub, prepared: PreparedWriter): { writer: Writer; leave: () => void } {
  const channel = new RawChannel((message) => writer.hear(message))
  const writer: Writer = new Writer(prepared, (message) => channel.push(message))
  void hub.accept(channel, anyone)
  writer.greet()
  return { writer, leave: () => channel.close() }
}
