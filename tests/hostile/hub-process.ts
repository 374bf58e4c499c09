/**
 * A hub in a process of its own that takes a token's text for whose it is. Prints its URL, then answers each line of its standard
 * input: `held` with the bytes that it holds once they are collected; `begin` with nothing much, and measures anew from there;
 * `delay` with the longest since then that its loop was late by, ms. Ends when its standard input does.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { intents, startHub, tokenOf } from 'rejoin'

const [data = ''] = process.argv.slice(2)

/** Milliseconds between two looks; what is measured holds it as well. */
const LOOK_MS = 5
const delay = monitorEventLoopDelay({ resolution: LOOK_MS })
delay.enable()

/**
 * The memory of buffers is let go by a thread of its own, and counted when the next collection begins: right after one, tens of
 * megabytes are still counted that nobody holds. So it is collected until that makes no difference any more.
 */
async function held(): Promise<number> {
  let least = Infinity
  for (let vain = 0; vain < 5; vain++) {
    globalThis.gc?.()
    const { heapUsed, external } = process.memoryUsage()
    const now = heapUsed + external
    if (now < least - 100 * 1_024) vain = 0
    least = Math.min(least, now)
    await sleep(10)
  }
  return least
}

async function answer(line: string): Promise<number> {
  if (line === 'held') return await held()
  if (line === 'delay') return Math.max(0, Math.round(delay.max / 1e6 - LOOK_MS))
  delay.reset()
  return 0
}

process.stdin.on('end', () => process.exit(1))
createInterface(process.stdin).on('line', (line) => {
  void answer(line).then((number) => process.stdout.write(`${number}\n`))
})
const always = (): boolean => true
const hub = await startHub({
  data,
  domains: [intents],
  port: 0,
  authenticate: ({ headers }) => {
    const id = tokenOf(headers)
    if (id === null || id.startsWith('wrong')) return null
    const revoked = new AbortController().signal
    return {
      id,
      name: id,
      expiresAt: null,
      revoked,
      canRead: always,
      canWrite: always,
      canAdmin: () => false,
    }
  },
})
process.stdout.write(`${hub.url}\n`)
