/** The fixtures beside this file, in the order of their numbers. */
import { readdir, readFile } from 'node:fs/promises'
import { fixtureSchema, type Fixture } from './fixture.ts'

const folder = new URL('./fixtures/', import.meta.url)

export async function readFixtures(): Promise<readonly Fixture[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()
  const fixtures: Fixture[] = []
  for (const name of names) {
    const fixture = fixtureSchema.parse(JSON.parse(await readFile(new URL(name, folder), 'utf8')))
    if (`${fixture.name}.json` !== name) throw new Error(`${name} calls itself ${fixture.name}`)
    fixtures.push(fixture)
  }
  return fixtures
}
