// How thin clients catch up: what is retained and what is not, a hub that was restored, removed and rebuilt namespaces, and
// random work that they must follow.
import { cp, rm } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SyncError } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { markRestored } from '@rejoin/hub'
import type { IntentsOp } from '@rejoin/intents'
import { openHubFolder } from '@rejoin/persistence-level/node'
import { systemClock } from 'rejoin'
import { anyOp, commonOps } from './arbitrary-ops.ts'
import { contentOf } from './thin-state.ts'
import { GatewayWorld, ThinClient, type Json, type Native } from './world.ts'

const added = (i: number): IntentsOp => ({
  type: 'IntentAdded',
  id: `i${i}`,
  phrasesByLang: { en: [`p${i}`] },
})

async function ask(world: GatewayWorld, version: number): Promise<unknown> {
  const { status, json } = await world.post('/api/sync', {
    local_versions: { support: version },
    supports_delta: true,
  })
  // Why it was refused is what whoever reads of the failure wants to know.
  expect({ status, error: json['message'] }).toEqual({ status: 200, error: undefined })
  return (json['namespaces'] as Json)['support']
}

describe('what the log still has', () => {
  test('whoever is at the floor is served ops, whoever is one below it starts cold', async () => {
    const world = await GatewayWorld.open({ retention: { commits: 10 } })
    const { replica, sync } = await world.native()
    for (let i = 1; i <= 30; i++) {
      replica.apply(added(i))
      await sync()
    }
    await world.hub.checkpoint('support')
    const { json } = await world.send('GET', '/v1/support/ops?after=0')
    const floor = json['floor'] as number
    // At least the last ten stay.
    expect(floor).toBeGreaterThan(1)
    expect(floor).toBeLessThanOrEqual(20)
    expect(await ask(world, floor)).toMatchObject({ version: 30, ops: { length: 30 - floor } })
    expect(await ask(world, floor - 1)).toEqual({ cold_start_required: true, version: 30 })
    expect(await ask(world, 0)).toEqual({ cold_start_required: true, version: 30 })
    await world.close()
  })

  test('commits that were logged together come together, with one version', async () => {
    const world = await GatewayWorld.open()
    const { replica, sync } = await world.native()
    for (let i = 1; i <= 5; i++) replica.apply(added(i))
    await sync()
    const head = replica.status.cursor?.seq ?? 0
    const answer = (await ask(world, 0)) as { version: number; ops: Json[] }
    expect(answer.version).toBe(head)
    expect(answer.ops.map(({ id }) => id)).toEqual(['i1', 'i2', 'i3', 'i4', 'i5'])
    await world.close()
  })

  test.each(['a rebuild', 'an undo'])('whoever would have to follow %s starts cold', async (what) => {
    const world = await GatewayWorld.open()
    const { replica, sync } = await world.native()
    replica.apply(added(1))
    await sync()
    if (what === 'an undo') {
      replica.apply(added(2))
      await sync()
      replica.undo()
      await sync()
    } else await world.hub.rebuild('support')
    expect(await ask(world, 1)).toMatchObject({ cold_start_required: true })
    // Behind it there are ops again.
    const thin = new ThinClient(world, { again: 'replaces', strayWeights: 'kept' })
    thin.subscribe('support')
    await thin.sync()
    await sync()
    replica.apply(added(3))
    await sync()
    await thin.sync()
    expect(thin).toMatchObject({ coldStarts: 1, deltas: 1 })
    expect(thin.state('support').content()).toEqual(contentOf(replica.tables))
    await world.close()
  })

  test('more than an answer may hold is a cold start', async () => {
    const world = await GatewayWorld.open()
    const { replica, sync } = await world.native()
    const describe = async (from: number, to: number): Promise<void> => {
      for (let i = from; i <= to; i++) {
        replica.apply({ type: 'DomainDescription', domain: `d${i}`, description: 'x'.repeat(120_000) })
      }
      await sync()
    }
    await describe(1, 30)
    const head = replica.status.cursor?.seq ?? 0
    const answer = (await ask(world, 0)) as { ops: unknown[] }
    expect(answer.ops).toHaveLength(30)
    await describe(31, 40)
    expect(await ask(world, 0)).toEqual({ cold_start_required: true, version: expect.any(Number) as number })
    // Those that come after fit again.
    expect(await ask(world, head)).toMatchObject({ ops: { length: 10 } })
    await world.close()
  })
})

test('a namespace that appears later is heard of by whoever asked for it before', async () => {
  const world = await GatewayWorld.open()
  const thin = new ThinClient(world, { again: 'replaces', strayWeights: 'kept' })
  thin.subscribe('support')
  await thin.sync()
  expect(thin).toMatchObject({ coldStarts: 0, deltas: 0 })
  const { replica, sync } = await world.native()
  replica.apply(added(1))
  await sync()
  await thin.sync()
  expect(thin.state('support').content()).toEqual(contentOf(replica.tables))
  await world.close()
})

test('a removed namespace is told apart from one that was never there', async () => {
  const world = await GatewayWorld.open()
  const { replica, sync } = await world.native()
  replica.apply(added(1))
  await sync()
  await world.hub.close()
  const folder = await openHubFolder(world.hubFolder)
  await folder.store.remove('support')
  await folder.close()
  await world.restart()
  expect(await ask(world, 1)).toEqual({ up_to_date: true, version: 0, state: 'removed' })
  expect((await world.post('/api/snapshot', {})).text).toBe('{"namespaces":{}}')
  expect((await world.send('GET', '/v1/support/ops')).status).toBe(410)
  await world.close()
})

test('a hub restored from an older backup never lowers a version in silence', async () => {
  const world = await GatewayWorld.open()
  const { replica, sync } = await world.native()
  replica.apply(added(1))
  await sync()
  const backup = `${world.hubFolder}-backup`
  await world.hub.close()
  await cp(world.hubFolder, backup, { recursive: true })
  await world.restart()
  const later = await world.native()
  later.replica.apply(added(2))
  await later.sync()
  expect(await ask(world, 2)).toEqual({ up_to_date: true, version: 2 })
  await world.hub.close()
  await rm(world.hubFolder, { recursive: true })
  await cp(backup, world.hubFolder, { recursive: true })
  await world.restart()
  expect(await ask(world, 2)).toEqual({ cold_start_required: true, version: 1, reason: 'ahead' })
  // However far the new log has come: an operator has said that it was restored.
  await world.hub.close()
  const folder = await openHubFolder(world.hubFolder)
  await markRestored(folder.store, yjsCrdt.updates, systemClock)
  await folder.close()
  await world.restart()
  expect(await ask(world, 2)).toEqual({
    cold_start_required: true,
    version: expect.any(Number) as number,
    reason: 'other_history',
  })
  expect((await world.send('GET', '/v1/support/ops?after=2')).status).toBe(409)
  await world.close()
})

test('[1] a thin client that polls amid random work holds what native replicas hold', async () => {
  const steps = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('apply' as const), who: fc.nat(1), op: anyOp() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('sync' as const), who: fc.nat(1) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('poll' as const), who: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'undo' as const, who: 0 }) },
    { weight: 1, arbitrary: fc.constantFrom({ kind: 'checkpoint' as const }, { kind: 'rebuild' as const }) },
  )
  const world = await GatewayWorld.open({ retention: { commits: 5 } })
  let run = 0
  let [deltas, coldStarts] = [0, 0]
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 10, maxLength: 40 }), async (story) => {
      const namespace = `run-${++run}`
      const natives = [await world.native(namespace), await world.native(namespace)]
      const thin = [
        new ThinClient(world, { again: 'replaces', strayWeights: 'kept' }),
        new ThinClient(world, { again: 'adds', strayWeights: 'ignored' }),
        new ThinClient(world, { again: 'adds', strayWeights: 'ignored' }, false),
      ]
      for (const client of thin) client.subscribe(namespace)
      natives[0]?.replica.apply(commonOps)
      for (const native of natives) await native.sync()
      for (const each of story) {
        if (each.kind === 'apply') applyIfMeant(natives[each.who]?.replica, each.op)
        else if (each.kind === 'sync') await natives[each.who]?.sync()
        else if (each.kind === 'poll') await thin[each.who]?.sync()
        else if (each.kind === 'undo') natives[each.who]?.replica.undo()
        else await world.hub[each.kind](namespace)
      }
      // What is made anew after a rebuild is sent with the next exchange.
      for (const native of [...natives, ...natives, ...natives]) await native.sync()
      for (const client of thin) {
        await client.sync()
        expect(client.state(namespace).content()).toEqual(contentOf(natives[0]!.replica.tables))
        expect(client.versions[namespace]).toBe(natives[0]?.replica.status.cursor?.seq)
        deltas += client.deltas
        coldStarts += client.coldStarts
      }
    }),
    { numRuns: 20 },
  )
  // The runs were about something.
  expect(deltas).toBeGreaterThan(10)
  expect(coldStarts).toBeGreaterThan(10)
  await world.close()
})

function applyIfMeant(replica: Native | undefined, op: IntentsOp): void {
  try {
    replica?.apply(op)
  } catch (error) {
    if (!(error instanceof SyncError)) throw error
  }
}
