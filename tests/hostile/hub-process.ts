/** A hub in a process of its own that takes a token's text for whose it is. Prints its URL, and ends when its standard input does. */
import { intents, startHub, tokenOf } from 'rejoin'

const [data = ''] = process.argv.slice(2)

process.stdin.resume().on('end', () => process.exit(1))
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
