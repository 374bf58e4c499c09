/**
 * A hub in a process of its own that takes a token's text for whose it is. Prints its URL, then at each line of its standard input the
 * bytes that it holds once they are collected, and ends when that does.
 */
import { intents, startHub, tokenOf } from 'rejoin'

const [data = ''] = process.argv.slice(2)

process.stdin
  .on('end', () => process.exit(1))
  .on('data', () => {
    globalThis.gc?.()
    const { heapUsed, external } = process.memoryUsage()
    process.stdout.write(`${heapUsed + external}\n`)
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
