// Stories that random ones, or thought about them, have found: each was a fault of the engines once.
import { expect, test } from 'vitest'
import type { AnyOp } from '@rejoin/core'
import { anyone } from '@rejoin/hub'
import { intents } from '@rejoin/intents'
import { openEngineWorld } from 'rejoin/testing'
import { inWorld } from './hands.ts'

const list = { type: 'ListAdded', id: 'a', title: 'one' }

test('[4] [11] what the disk does not know to be sent is not sent, so after a crash it can be withdrawn', async () => {
  await inWorld(1, async ({ apply, exchange, take, world }) => {
    await apply(0, list)
    await take({ kind: 'disk', replica: 0, state: 'fails' })
    await exchange(0)
    expect((await world.glance()).logged).toEqual([])
    await take({ kind: 'restart', replica: 0 })
    expect(await take({ kind: 'withdraw', replica: 0, pick: 0 })).toEqual({
      kind: 'done',
      note: 'commit 0:1 is withdrawn',
    })
  })
})

test('[11] a rejected commit that a late push brings into the log after all is rejected no longer', async () => {
  let mayWrite = true
  const principal = () => ({ ...anyone, canWrite: () => mayWrite })
  await inWorld(
    1,
    async ({ apply, exchange, take, world }) => {
      await take({ kind: 'connect', replica: 0 })
      await take({ kind: 'deliver', messages: 20, order: 0 })
      await apply(0, list)
      await take({ kind: 'cut', replica: 0, heardBy: 'replica' })
      await take({ kind: 'disconnect', replica: 0 })
      mayWrite = false
      await exchange(0)
      // Who may not write is refused rightly.
      expect((await world.glance()).refused).toEqual([])
      mayWrite = true
      await take({ kind: 'late', replica: 0, what: 'rest' })
      await take({ kind: 'deliver', messages: 20, order: 0 })
      await exchange(0)
      expect((await world.glance()).logged).toEqual(['0:1'])
      // Nothing is left to resubmit.
      expect(await take({ kind: 'resubmit', replica: 0, pick: 0 })).toEqual({
        kind: 'done',
        note: 'there was none',
      })
    },
    { principal },
  )
})

test.each([[false], [true]])(
  '[22] add wins over a remove that has seen an equal value only, rebuilt meanwhile: %s',
  async (rebuilt) => {
    await inWorld(3, async ({ apply, exchange, take, world }) => {
      const item = { type: 'ItemDone', list: 'a', item: 'x', text: 'milk' }
      await apply(0, list)
      await exchange(0, 1, 2)
      await apply(1, item)
      await apply(0, item)
      await exchange(0, 2)
      if (rebuilt) await take({ kind: 'rebuild', by: 'hub' })
      // Replica 2 has seen the item of replica 0, and not that of replica 1.
      await apply(2, { type: 'ListRemoved', id: 'a' })
      await exchange(1, 2, 0, 1, 2)
      expect((await world.observe()).replicas[0]?.conflicts).toContain('"kind":"orphan"')
    })
  },
)

test('[19] what a commit removed stays removed when it is made again under a parent that is gone', async () => {
  const world = await openEngineWorld(intents, 1)
  const apply = (op: AnyOp) => world.take({ kind: 'apply', replica: 0, ops: [op] })
  await apply({ type: 'IntentAdded', id: 'a', phrasesByLang: {} })
  await apply({ type: 'PhraseAdded', intentId: 'a', lang: 'en', phrase: 'hello' })
  await apply({ type: 'PhraseRemoved', intentId: 'a', phrase: 'hello' })
  await world.take({ kind: 'refuse', replica: 0, commits: 1 })
  await world.take({ kind: 'exchange', replica: 0, cutAfter: null, order: 0 })
  const { replicas } = await world.observe()
  await world.close()
  expect(replicas[0]?.entries).toEqual([])
})
