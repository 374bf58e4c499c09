/** What thin clients post: JSON of strangers, which reads as a request or is refused with a path. */
import { InputError, parseInput, parseJson, snapshotRequestSchema, syncRequestSchema } from '@rejoin/intents'
import { SyncError } from '@rejoin/core'
import type { Seeded } from '../../support/seeded.ts'
import { struck } from '../strange-bytes.ts'
import { strangeMessage } from '../messages.ts'
import type { Target } from '../target.ts'

export const requests: Target = {
  name: 'requests',
  inputs: 2_000,
  growthBytesMax: 8 * 2 ** 20,
  run(random, progress) {
    for (let n = 0; n < requests.inputs; n++) {
      const text = strangeText(random)
      progress.begin(() => JSON.stringify(text))
      for (const read of [readSync, readSnapshot]) {
        try {
          read(parseJson(text, 'body'))
          progress.ended('read')
        } catch (error) {
          if (!(error instanceof SyncError || error instanceof InputError)) throw error
          progress.ended('refused')
        }
      }
      progress.over()
    }
    if (({} as { polluted?: unknown }).polluted !== undefined) throw new Error('a prototype was changed')
  },
}

const readSync = (json: unknown): unknown => parseInput(syncRequestSchema, json, 'body')
const readSnapshot = (json: unknown): unknown => parseInput(snapshotRequestSchema, json, 'body')

function strangeText(random: Seeded): string {
  const honest = {
    local_versions: { support: random.whole(0, 9), billing: 2 },
    supports_delta: true,
    oplog_min_version: 0,
    corrections: [{ namespace: 'support', query: 'hi', wrong_intent: 'a', right_intent: 'b', id: 'c1' }],
    logs: [{ query: 'q', app_id: 'a', detected_intents: ['x'], timestamp_ms: 1 }],
    namespace_ids: ['support'],
    tick_interval_secs: 30,
  }
  const json = JSON.stringify(random.chance(0.6) ? strangeMessage(random, { type: 0, ...honest }) : honest)
  const hostile = random.pick([
    '{"__proto__":{"polluted":1}}',
    '[1e400]',
    '['.repeat(20_000),
    '"\\ud800"',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '-0',
    ' '.repeat(10_000),
  ])
  const placed = random.chance(0.3) ? json.replace(/\d+|"[^"]*"/, () => hostile) : json
  const bytes = Uint8Array.from(Buffer.from(placed))
  return Buffer.from(random.chance(0.4) ? struck(random, bytes) : bytes).toString('utf8')
}
