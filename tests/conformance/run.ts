/**
 * Plays the fixtures, from the command line:
 *   node --conditions=@rejoin/source --import tsx tests/conformance/run.ts [--hub URL] [NAME …]
 * against the hub at URL (which must serve the intents domain and let anyone write to namespaces `conformance-…`), or
 * against hubs of its own. What needs an operator at the hub is skipped for a hub at a URL, and said to be.
 */
import { parseArgs } from 'node:util'
import { isOperated } from './fixture.ts'
import { readFixtures } from './fixtures.ts'
import { play } from './stage.ts'
import { hubAt, ownHub, type WayName } from './ways.ts'

const { values, positionals } = parseArgs({ options: { hub: { type: 'string' } }, allowPositionals: true })
const url = values.hub
const ways: readonly WayName[] = url === undefined ? ['memory', 'websocket', 'http'] : ['websocket', 'http']
let failures = 0
for (const fixture of await readFixtures()) {
  if (positionals.length > 0 && !positionals.some((name) => fixture.name.startsWith(name))) continue
  for (const way of ways) {
    const skipped = whySkipped(way, isOperated(fixture), fixture.live)
    if (skipped === null) await playOne(fixture, way)
    else console.log(`skip  ${fixture.name} over ${way}: ${skipped}`)
  }
}
process.exitCode = failures === 0 ? 0 : 1

function whySkipped(way: WayName, operated: boolean, live: boolean): string | null {
  if (url !== undefined && operated) return 'it needs an operator at the hub'
  return way === 'http' && live ? 'nobody stays connected over HTTP' : null
}

async function playOne(fixture: Parameters<typeof play>[0], way: WayName): Promise<void> {
  const hub = url === undefined ? await ownHub(way, fixture.retentionCommits) : hubAt(url)
  try {
    await play(fixture, hub, way)
    console.log(`pass  ${fixture.name} over ${way}`)
  } catch (error) {
    failures++
    console.log(`FAIL  ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    await hub.close()
  }
}
