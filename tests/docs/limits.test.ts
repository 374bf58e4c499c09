// Numbers that a page names are those of `core/src/limits.ts`: somebody who writes a client, or runs a hub, goes by the page.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { limits } from '@rejoin/core'
import { gatewayLimits } from '../../packages/intents/src/gateway-body.ts'
import { BODY_BYTES_MAX } from '../../packages/transport/src/frame-stream.ts'
import { FRAGMENT_BYTES_MIN, PAYLOAD_BYTES_MAX } from '../../packages/transport/src/frames.ts'
import { defaultPeerLimits, type PeerLimits } from '../../packages/transport/src/server/peers.ts'

const whole = (count: number): string => count.toLocaleString('en-US')
const KiB = (bytes: number): string => `${bytes / 1024} KiB`
const MiB = (bytes: number): string => `${bytes / 2 ** 20} MiB`
const seconds = (ms: number): string => `${ms / 1_000} s`

/** Pages as one line each: where a line is broken says nothing. */
const page = (name: string): string =>
  readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8').replaceAll(/\s+/g, ' ')

const { perSecond: messages, burst: messagesBurst } = defaultPeerLimits.messages
const { perSecond: commits, burst: commitsBurst } = defaultPeerLimits.commits

const said: Readonly<Record<string, readonly string[]>> = {
  'PROTOCOL.md': [
    `at most ${whole(limits.frameBytesMax)} bytes. | kind`,
    `A message above ${whole(PAYLOAD_BYTES_MAX)} bytes is cut into pieces`,
    `but the last has at least ${whole(FRAGMENT_BYTES_MIN)} bytes`,
    `are complete ${seconds(limits.fragmentsMsMax)} after the first`,
    `${MiB(limits.messageUpBytesMax)} up, ${MiB(limits.messageDownBytesMax)} down`,
    `At most ${whole(limits.roomsPerConnectionMax)} channels a connection`,
    `a ping and a \`beat\` every ${seconds(limits.heartbeatMs)}`,
    `A connection without a channel for ${seconds(limits.answerMsMax)} is closed`,
    `stops reading the socket (${MiB(limits.backlogBytesMax)} of unread messages)`,
    `reads too slowly (${MiB(limits.backlogBytesMax)} wait for it)`,
    `takes nothing for ${seconds(limits.backlogMsMax)} is closed with \`PEER_TOO_SLOW\``,
    `at most ${MiB(BODY_BYTES_MAX)} (413 beyond)`,
    `up to ${whole(limits.tokenCharsMax)} visible ASCII characters`,
    `within ${seconds(limits.signInMsMax)} and ${KiB(limits.signInBytesMax)} of all bytes`,
    `when ${limits.signInAskPercent} % of the life of a sign-in is over`,
    `${whole(limits.connectionsPerPrincipalMax)} connections (429 beyond)`,
    `${whole(messages)} messages, ${whole(commits)} commits and ${MiB(limits.bytesUpPerSecondMax)} a second`,
    `with ${whole(messagesBurst)}, ${whole(commitsBurst)} and ${MiB(limits.bytesUpBurstMax)} at once`,
    `address has ${limits.signInsPerAddressMax} callers that are not judged yet, and ${whole(limits.connectionsPerAddressMax)} connections`,
    `more than ${whole(limits.framesPerSecondMax)} frames a second (${whole(limits.framesBurstMax)} at once)`,
    `have at most ${MiB(limits.unfinishedBytesMax)} together`,
    `Yjs V1 state vector (at most ${KiB(limits.helloVectorBytesMax)})`,
    `number of commits (1 to ${limits.pushCommitsMax})`,
    `\`bytes\` update (at most ${KiB(limits.awarenessBytesMax)})`,
    `inflates to, 1 to ${MiB(limits.messageDownBytesMax)}`,
    `A hub packs those of ${KiB(limits.packedBytesMin)} and more`,
    `come back after ${seconds(limits.reconnectMsMin)}, twice as long after each failure up to ${seconds(limits.reconnectMsMax)}`,
    `answers for up to ${seconds(limits.closingMsMax)} what it had begun to log`,
  ],
  'plain-yjs.md': [
    `brings at most ${whole(limits.updateEntriesMax)} items, ${whole(limits.updateDeleteRangesMax)} ranges of deletions, ${limits.plainClientsMax} new client ids`,
    `gathered for ${limits.presenceTickMs} ms, at most ${KiB(limits.awarenessBytesMax)} a message, ${limits.presencePerSessionMax} states a connection and ${whole(limits.presencePerRoomMax)} a room`,
    `not sent to whom ${KiB(limits.frameBytesMax)} wait for`,
  ],
  'gateway.md': [
    `what the client holds, at most ${whole(gatewayLimits.namespacesMax)} namespaces`,
    `at most ${whole(gatewayLimits.correctionsMax)}; carried out first`,
    `the query log, at most ${whole(gatewayLimits.logsMax)}`,
    `more than ${whole(gatewayLimits.opsMax)} or ${MiB(gatewayLimits.opsCharsMax)}`,
  ],
  'sign-in.md': [`within ${seconds(limits.signInMsMax).replace(' s', ' seconds')}. \`principal.revoked\``],
}

describe.each(Object.entries(said))('docs/%s', (name, sentences) => {
  test.each(sentences)('says %j', (sentence) => {
    expect(page(name)).toContain(sentence)
  })
})

test('docs/sign-in.md names every limit of peers with its default', () => {
  const rows = [
    ...readFileSync(new URL('../../docs/sign-in.md', import.meta.url), 'utf8').matchAll(
      /^\| `(\w+)` \| ([\d/]+) \|/gm,
    ),
  ]
  const documented = Object.fromEntries(rows.map(([, name, value]) => [name, value]))
  const names = Object.keys(defaultPeerLimits) as (keyof PeerLimits)[]
  for (const name of names) {
    const value = defaultPeerLimits[name]
    const text = typeof value === 'number' ? String(value) : `${value.perSecond}/${value.burst}`
    expect([name, documented[name]]).toEqual([name, text])
  }
  expect(documented['documentBytes']).toBe(String(limits.documentBytesMax))
})
