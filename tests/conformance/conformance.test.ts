// Every fixture, step by step, against a real hub over every transport.
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { intents, startHub } from 'rejoin'
import { withFolder } from '../support/command.ts'
import { startScript } from '../support/script.ts'
import { isOperated, type Fixture } from './fixture.ts'
import { readFixtures } from './fixtures.ts'
import { play } from './stage.ts'
import { ownHub, type WayName } from './ways.ts'

const fixtures = await readFixtures()

test('the fixtures are numbered without a hole', () => {
  const numbers = fixtures.map(({ name }) => Number(name.slice(0, 3)))
  expect(numbers).toEqual(numbers.map((_, i) => i + 1))
})

describe.each(fixtures)('$name', (fixture) => {
  test.each(waysOf(fixture))('over %s', async (way) => {
    const hub = await ownHub(way, fixture.retentionCommits)
    try {
      await expect(play(fixture, hub, way)).resolves.toBeUndefined()
    } finally {
      await hub.close()
    }
  })
})

test('the runner takes the URL of any hub, and says what it cannot play there', async () => {
  await withFolder(async (data) => {
    const hub = await startHub({ data, domains: [intents], port: 0 })
    const lines: string[] = []
    const script = path.join(import.meta.dirname, 'run.ts')
    try {
      const run = startScript(script, ['--hub', hub.url], { onLine: (line) => lines.push(line) })
      expect([await run.ended, run.stderr()]).toEqual([0, ''])
    } finally {
      await hub.close()
    }
    const told = (fixture: Fixture, way: WayName): string | undefined =>
      lines.find((line) => line.includes(`${fixture.name} over ${way}`))?.split(' ')[0]
    for (const fixture of fixtures) {
      for (const way of ['websocket', 'http'] as const) {
        const isPlayed = !isOperated(fixture) && (way === 'websocket' || !fixture.live)
        expect([fixture.name, way, told(fixture, way)]).toEqual([
          fixture.name,
          way,
          isPlayed ? 'pass' : 'skip',
        ])
      }
    }
    expect(lines.filter((line) => line.startsWith('pass')).length).toBeGreaterThan(8)
  })
})

function waysOf({ live }: Fixture): WayName[] {
  return live ? ['memory', 'websocket'] : ['memory', 'websocket', 'http']
}
