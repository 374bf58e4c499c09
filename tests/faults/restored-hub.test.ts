// The folder of a hub put back from a copy that was made while it stood still, as an operator does who never heard of
// `rejoin restore`: real folders, and real replicas over WebSocket and over HTTP, who bring back what the copy lacks.
import { cp, rm } from 'node:fs/promises'
import path from 'node:path'
import { intents, openClient, startHub, type Replica, type RunningHub } from 'rejoin'
import { expect, test } from 'vitest'
import { withFolder } from '../support/command.ts'
import { until } from '../support/until.ts'
import { checkConverged, phrasesOf } from './bystander.ts'
import { intentId, nextOps } from './writing.ts'

type Intents = Replica<typeof intents>

interface Member {
  readonly replica: Intents
  /** By HTTP, once. */
  readonly sync: () => Promise<string>
  readonly close: () => Promise<void>
}

async function open(folder: string, name: string, hub: RunningHub, live: boolean): Promise<Member> {
  const client = await openClient({ data: path.join(folder, name), hub: hub.url })
  const replica = await client.open(intents, 'support', { live })
  return {
    replica,
    sync: async () => (await replica.syncOnce(client.dialOnce ?? undefined)).path,
    close: () => client.close(),
  }
}

function write(replica: Intents, phrase: string): void {
  const receipt = replica.apply(nextOps(phrase, replica.tables.intents.has(intentId) ? 1 : 0))
  if (receipt.kind === 'commit') receipt.acked.catch(() => {})
}

for (const live of [true, false]) {
  test(`[3][25] a hub whose folder is put back from an older copy is healed by its replicas, ${live ? 'live' : 'over HTTP'}`, async () => {
    await withFolder(async (folder) => {
      const [data, copy] = [path.join(folder, 'hub'), path.join(folder, 'copy')]
      const start = (port = 0): Promise<RunningHub> => startHub({ data, domains: [intents], port })
      const names = ['ada', 'bob', 'eve']

      const first = await start()
      const port = Number(new URL(first.url).port)
      let members = await Promise.all(names.map((name) => open(folder, name, first, live)))
      const settle = async (): Promise<void> => {
        for (let round = 0; round < 2; round++) {
          for (const { replica, sync } of members) {
            if (!live) await sync()
            else
              await until(
                'it is settled',
                () => replica.status.state === 'live' && replica.status.pending === 0,
              )
          }
        }
      }
      const [ada] = members
      if (ada === undefined) throw new Error('there are three')
      write(ada.replica, 'before the copy')
      await settle()
      for (const { close } of members) await close()
      await first.close()
      await cp(data, copy, { recursive: true })

      const second = await start(port)
      members = await Promise.all(names.map((name) => open(folder, name, second, live)))
      const phrases = ['before the copy']
      for (let n = 0; n < 30; n++) {
        for (const [i, { replica }] of members.entries()) {
          const phrase = `${names[i]} ${n}`
          write(replica, phrase)
          phrases.push(phrase)
        }
        if (n % 10 === 0) await settle()
      }
      await settle()
      // They stay open: to them the hub is away for a moment.
      await second.close()
      await rm(data, { recursive: true })
      await cp(copy, data, { recursive: true })
      for (const [i, { replica }] of members.entries()) {
        write(replica, `${names[i]} while it was away`)
        phrases.push(`${names[i]} while it was away`)
      }

      const third = await start(port)
      if (live) for (const { replica } of members) replica.disconnect()
      if (live) for (const { replica } of members) replica.connect()
      const paths: string[] = []
      if (!live) for (const { sync } of members) paths.push(await sync())
      expect(paths.slice(0, 1)).toEqual(live ? [] : ['heal'])
      await settle()
      const fresh = await open(folder, 'fresh', third, live)
      if (live) await until('it has all', () => phrasesOf(fresh.replica).size === phrases.length)
      else await fresh.sync()
      expect([...phrasesOf(fresh.replica)].sort()).toEqual(phrases.sort())
      members.push(fresh)
      await checkConverged(members.map(({ replica }) => replica))
      for (const { replica } of members) expect(replica.status.rejected).toBe(0)
      const { faults } = await third.verify('support')
      expect(faults).toEqual([])
      for (const { close } of members) await close()
      await third.close()
    })
  }, 120_000)
}
