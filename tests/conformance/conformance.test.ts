// Every fixture, step by step, against a real hub over every transport.
import { describe, expect, test } from 'vitest'
import { readFixtures } from './fixtures.ts'
import type { Fixture } from './fixture.ts'
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

function waysOf({ live }: Fixture): WayName[] {
  return live ? ['memory', 'websocket'] : ['memory', 'websocket', 'http']
}
