// A hub restored from an older backup gets back from its replicas what it had acknowledged and lost: in every order, through
// every transport, and nothing that was deleted comes back with it.
import { commitName } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { anyone } from '@rejoin/hub'
import { MapHubStore } from '@rejoin/testkit'
import { expect, test } from 'vitest'
import { turn } from '../support/stepped-time.ts'
import { NAMESPACE, World, type Member } from './world.ts'

/** Three replicas; a backup; then each of them has written more, and has seen what the others wrote. */
async function lost(options: ConstructorParameters<typeof World>[1] = {}) {
  const world = new World(1, options)
  const ada = await world.join('ada')
  const bob = await world.join('bob')
  const eve = await world.join('eve')
  ada.note('before', 'the backup')
  await world.settle()
  const backup = world.backup()
  ada.note('a', 'of ada')
  bob.note('b', 'of bob')
  eve.note('e', 'of eve')
  await world.settle()
  return { world, ada, bob, eve, backup }
}

/** Somebody who begins with nothing, and everybody as their own store has them, see the same as before. */
async function expectHealed(world: World, before: readonly Member[] = [...world.members]): Promise<void> {
  const newcomer = await world.join('newcomer')
  await world.sync(newcomer)
  world.members.pop()
  const members = [...before, newcomer]
  const kept = world.views(before)
  for (const member of before) await member.restart()
  expect(world.views(before)).toEqual(kept)
  const [first] = world.views(members)
  for (const view of world.views(members)) expect(view).toEqual(first)
  expect(first).toMatchObject({ unplaced: 0, pending: 0, rejected: [] })
  expect(await world.faults()).toEqual([])
  const logged = await world.logged()
  expect(new Set(logged).size).toBe(logged.length)
  for (const { cursors } of members) {
    for (const [i, cursor] of cursors.entries())
      expect(cursor.seq).toBeGreaterThanOrEqual(cursors[i - 1]?.seq ?? 0)
  }
}

const everything = { before: 'the backup', a: 'of ada', b: 'of bob', e: 'of eve' }

for (const marked of [true, false]) {
  for (const oneShot of [true, false]) {
    const how = `${marked ? 'with' : 'without'} a word of it, ${oneShot ? 'over HTTP' : 'live'}`
    test(`[25] what was lost comes back from the first replica, and the others go on (${how})`, async () => {
      const { world, ada, bob, eve, backup } = await lost()
      await world.restore(backup, { marked })
      const report = await world.sync(ada, { oneShot })
      expect(report.path).toBe('heal')
      const fresh = await world.join('fresh')
      await world.sync(fresh, { oneShot })
      expect(fresh.texts).toEqual(everything)
      for (const member of [bob, eve]) await world.sync(member, { oneShot })
      ada.note('after', 'the restore')
      for (let round = 0; round < 2; round++)
        for (const member of world.members) await world.sync(member, { oneShot })
      await expectHealed(world)
      expect(bob.texts).toEqual({ ...everything, after: 'the restore' })
    })
  }
}

/** Every order of three. */
const orders = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const

test.each(orders)(
  '[25][19] what was deleted stays dead, whoever comes back first (%i %i %i)',
  async (...order) => {
    for (const marked of [true, false]) {
      for (const isSettled of [true, false]) {
        const { world, ada, bob, eve, backup } = await lost()
        ada.note('x', 'set')
        await world.sync(ada)
        // Ada knows that it is acknowledged, and has not got it back from the log yet.
        if (isSettled) await world.sync(ada)
        await world.sync(bob)
        bob.forget('x')
        bob.note('a', 'of bob')
        await world.sync(bob)
        await world.sync(eve)
        await world.restore(backup, { marked })
        const members = [ada, bob, eve]
        for (const index of order) {
          const member = members[index]
          if (member !== undefined) await world.sync(member)
        }
        await world.settle()
        await expectHealed(world)
        expect(ada.texts).toEqual({ ...everything, a: 'of bob' })
        expect(ada.replica.conflicts()).toEqual([])
      }
    }
  },
)

test.each(orders)(
  '[25][4] each brings what it alone has, and what waits is logged once (%i %i %i)',
  async (...order) => {
    for (const oneShot of [true, false]) {
      const { world, ada, bob, eve, backup } = await lost()
      // Each of them ends at another place of what will be lost, with something that the hub never saw.
      ada.note('a2', 'seen by all')
      await world.sync(ada)
      for (const member of [bob, eve]) await world.sync(member)
      bob.note('b2', 'seen by eve')
      await world.sync(bob)
      await world.sync(eve)
      eve.note('e2', 'seen by nobody else')
      await world.sync(eve)
      const members = [ada, bob, eve]
      const waiting = members.map((member) => {
        const id = member.note(`${member.name} waits`, 'in the outbox')
        return id === null ? '' : commitName(id)
      })
      await world.restore(backup, { marked: true })
      for (const index of order) {
        const member = members[index]
        if (member !== undefined) await world.sync(member, { oneShot })
      }
      for (let round = 0; round < 2; round++)
        for (const member of members) await world.sync(member, { oneShot })
      await expectHealed(world)
      expect(ada.texts).toEqual({
        ...everything,
        a2: 'seen by all',
        b2: 'seen by eve',
        e2: 'seen by nobody else',
        'ada waits': 'in the outbox',
        'bob waits': 'in the outbox',
        'eve waits': 'in the outbox',
      })
      const logged = await world.logged()
      for (const id of waiting) expect(logged.filter((name) => name === id)).toHaveLength(1)
    }
  },
)

test('[25] nothing of the outbox is brought back with the rest: it comes as commits', async () => {
  const { world, ada, backup } = await lost()
  ada.note('waits', 'in the outbox')
  await world.restore(backup, { marked: true })
  await world.sync(ada)
  const [marker, healed] = await world.heals()
  expect(marker?.record).toMatchObject({ lost: { after: 1 }, healed: null })
  if (healed?.record.kind !== 'heal' || healed.record.healed === null) throw new Error('nothing was healed')
  const { entries } = yjsCrdt.updates.inspectState(healed.record.healed.update)
  expect(entries.map(({ key }) => key.join('/')).sort()).toEqual(['a', 'b', 'e'])
  expect(healed.record.healed.id).toEqual({ replica: ada.replica.id, counter: 2 })
  await expectHealed(world, [ada])
  expect(ada.texts).toEqual({ ...everything, waits: 'in the outbox' })
})

test('[25][5] a commit whose answer never came, and that others bring back, is logged without bytes and once', async () => {
  for (const isDeleted of [false, true]) {
    const { world, ada, bob, backup } = await lost()
    ada.replica.connect()
    await world.settleLive(ada)
    ada.wire.swallow('down')
    const id = ada.note('x', 'never acknowledged')
    await world.pass(200)
    await world.sync(bob)
    expect(bob.texts['x']).toBe('never acknowledged')
    if (isDeleted) {
      bob.forget('x')
      await world.sync(bob)
    }
    await world.restore(backup, { marked: true })
    ada.replica.disconnect()
    await turn()
    await world.sync(bob)
    await world.settle()
    await expectHealed(world)
    expect(ada.texts).toEqual(isDeleted ? everything : { ...everything, x: 'never acknowledged' })
    expect(ada.replica.conflicts()).toEqual([])
    const records = await world.records()
    const logged = records.flatMap(({ record }) => (record.kind === 'commits' ? record.commits : []))
    const own = logged.filter(
      (commit) => commit.id.counter === id?.counter && commit.id.replica === id.replica,
    )
    expect(own.map(({ update }) => update.length)).toEqual([0])
  }
})

test('[25] a deletion alone comes back too, and brings nothing where it is known', async () => {
  const { world, ada, bob } = await lost()
  const backup = world.backup()
  ada.forget('b')
  await world.settle()
  await world.restore(backup, { marked: true })
  await world.sync(ada)
  expect((await world.heals()).at(-1)?.record).toMatchObject({ healed: { id: { replica: ada.replica.id } } })
  const before = (await world.records()).length
  await world.sync(bob)
  // Bob has nothing more to give: only his own mark, which the backup knows.
  expect((await world.records()).length).toBe(before)
  await world.settle()
  await expectHealed(world)
  expect(bob.texts['b']).toBeUndefined()
})

test('[25][10] who only reads comes back when the log was trimmed since, and still heals what it alone has', async () => {
  const { world, ada, bob, eve, backup } = await lost({ retention: { commits: 2, bytes: 0 } })
  const reader = await world.join('reader')
  eve.note('e2', 'seen by the reader alone')
  await world.sync(eve)
  await world.sync(reader)
  world.members.splice(world.members.indexOf(eve), 1)
  await world.restore(backup, { marked: true })
  await world.sync(ada)
  for (let i = 0; i < 6; i++) {
    ada.note(`after ${i}`, 'the restore')
    await world.sync(ada)
  }
  await world.finish(world.hubAt(0).checkpoint(NAMESPACE))
  expect((await world.store.heads([NAMESPACE])).get(NAMESPACE)?.floor).toBeGreaterThan(2 ** 32)
  expect((await world.sync(reader)).path).toBe('heal')
  await world.settle()
  await expectHealed(world)
  expect(bob.texts).toMatchObject({ ...everything, e2: 'seen by the reader alone' })
})

test('[25][10] the same after a restore that nobody told of: the replica sees what the snapshot lacks, and says so', async () => {
  for (const oneShot of [false, true]) {
    const { world, ada, eve, backup } = await lost({ retention: { commits: 2, bytes: 0 } })
    const reader = await world.join('reader')
    eve.note('e2', 'seen by the reader alone')
    await world.sync(eve)
    await world.sync(reader)
    const at = reader.replica.status.cursor?.seq ?? 0
    world.members.splice(world.members.indexOf(eve), 1)
    await world.restore(backup, { marked: false })
    const fresh = await world.join('fresh')
    for (let i = 0; i < 12; i++) {
      fresh.note(`new ${i}`, 'since the restore')
      await world.sync(fresh)
    }
    await world.finish(world.hubAt(0).checkpoint(NAMESPACE))
    expect((await world.store.heads([NAMESPACE])).get(NAMESPACE)?.floor).toBeGreaterThan(at)
    expect((await world.sync(reader, { oneShot })).path).toBe('heal')
    expect(reader.texts).toMatchObject({
      ...everything,
      e2: 'seen by the reader alone',
      'new 11': 'since the restore',
    })
    await world.settle()
    await expectHealed(world)
    expect(ada.texts).toEqual(reader.texts)
  }
})

test('[25][10][19] the same where all that it has is that something was deleted', async () => {
  const { world, ada, bob, eve } = await lost({ retention: { commits: 2, bytes: 0 } })
  const backup = world.backup()
  const reader = await world.join('reader')
  eve.forget('b')
  await world.sync(eve)
  await world.sync(reader)
  world.members.splice(world.members.indexOf(eve), 1)
  await world.restore(backup, { marked: false })
  const fresh = await world.join('fresh')
  for (let i = 0; i < 12; i++) {
    fresh.note(`new ${i}`, 'since the restore')
    await world.sync(fresh)
  }
  await world.finish(world.hubAt(0).checkpoint(NAMESPACE))
  expect((await world.sync(reader)).path).toBe('heal')
  await world.settle()
  await expectHealed(world)
  for (const member of [ada, bob, reader]) expect(member.texts['b']).toBeUndefined()
})

test('[25] a fresh replica that writes before the others come back overwrites nothing, and is overwritten by nothing', async () => {
  for (const marked of [true, false]) {
    const { world, ada, bob, backup } = await lost()
    await world.restore(backup, { marked })
    const fresh = await world.join('fresh')
    for (let i = 0; i < 6; i++) {
      fresh.note(`new ${i}`, 'since the restore')
      await world.sync(fresh)
    }
    fresh.note('before', 'changed since')
    await world.sync(fresh)
    ada.note('before', 'changed meanwhile')
    await world.sync(ada)
    await world.settle()
    await expectHealed(world)
    expect(bob.texts).toMatchObject({ a: 'of ada', b: 'of bob', e: 'of eve', 'new 5': 'since the restore' })
    expect(bob.replica.conflicts()).toHaveLength(1)
  }
})

test('[25][21] live replicas heal it by themselves, at once and together, also through two hubs over one store', async () => {
  for (const hubs of [1, 2]) {
    const { world, ada, bob, eve, backup } = await lost({ hubs })
    bob.hub = 1
    for (const member of world.members) member.replica.connect()
    await world.settleLive(ada, bob, eve)
    for (const member of world.members) member.note(`live ${member.name}`, 'before the loss')
    await world.settleLive(ada, bob, eve)
    await world.restore(backup, { marked: true })
    for (const member of world.members) member.note(`again ${member.name}`, 'while it was away')
    await world.settleLive(ada, bob, eve)
    await world.pass(6_000)
    for (const member of world.members) member.replica.disconnect()
    await turn()
    await world.settle()
    await expectHealed(world)
    expect(Object.keys(ada.texts)).toHaveLength(4 + 3 + 3)
  }
})

test('[25] a hub that is restored twice, to the same or an older backup, heals twice', async () => {
  const { world, ada, bob, backup } = await lost()
  const later = world.backup()
  for (const [i, again] of [later, backup, backup, later].entries()) {
    await world.restore(again, { marked: i % 2 === 0 })
    ada.note(`round ${i}`, 'of ada')
    await world.sync(i % 2 === 0 ? ada : bob)
    await world.settle()
    await expectHealed(world)
  }
  expect(bob.texts).toEqual({
    ...everything,
    'round 0': 'of ada',
    'round 1': 'of ada',
    'round 2': 'of ada',
    'round 3': 'of ada',
  })
})

test('[25] a namespace that the hub does not have at all is made again from the first replica that has it', async () => {
  for (const oneShot of [false, true]) {
    const { world, ada, bob, eve } = await lost()
    ada.note('waits', 'in the outbox')
    const { epoch, seq } = ada.replica.status.cursor ?? { epoch: 0, seq: 0 }
    await world.restore(new MapHubStore(), { marked: false })
    expect((await world.sync(ada, { oneShot })).path).toBe('heal')
    const cursor = ada.replica.status.cursor
    expect(cursor?.epoch).toBe(epoch)
    expect(cursor?.seq).toBeGreaterThan(seq + 2 ** 32 - 1)
    for (const member of [eve, bob]) await world.sync(member, { oneShot })
    await world.settle()
    await expectHealed(world)
    expect(bob.texts).toEqual({ ...everything, waits: 'in the outbox' })
  }
})

test('[25] a namespace that was deleted stays deleted', async () => {
  const { world, ada } = await lost()
  await world.store.remove(NAMESPACE)
  await world.restore(world.store, { marked: false })
  await expect(world.sync(ada)).rejects.toMatchObject({ code: 'NAMESPACE_DELETED' })
})

test('[25] who only reads heals nothing, is told so while something is missing, and goes on when others brought it back', async () => {
  const reading = { ...anyone, name: 'reader', canWrite: () => false }
  for (const oneShot of [false, true]) {
    const { world, ada, eve, backup } = await lost()
    const [reader, other] = [await world.join('reader', reading), await world.join('other', reading)]
    await world.sync(reader)
    eve.note('e2', 'seen by the other alone')
    await world.sync(eve)
    await world.sync(other)
    world.members.splice(world.members.indexOf(eve), 1)
    await world.restore(backup, { marked: true })
    for (const member of [reader, other])
      await expect(world.sync(member, { oneShot })).rejects.toMatchObject({ code: 'HISTORY_DIVERGED' })
    expect(await world.heals()).toHaveLength(1)
    expect(reader.texts).toEqual(everything)
    await world.sync(ada)
    await world.sync(reader, { oneShot })
    await expect(world.sync(other, { oneShot })).rejects.toMatchObject({ code: 'HISTORY_DIVERGED' })
    expect(other.texts).toEqual({ ...everything, e2: 'seen by the other alone' })
    world.members.splice(world.members.indexOf(other), 1)
    ada.note('after', 'the restore')
    await world.settle()
    await expectHealed(world)
    expect(reader.texts).toEqual({ ...everything, after: 'the restore' })
  }
})

test('[14][25] what is too much for one message is refused in words that say what to do, and an operator brings it back', async () => {
  const world = new World()
  const ada = await world.join('ada')
  ada.note('before', 'the backup')
  await world.settle()
  const backup = world.backup()
  const text = 'x'.repeat(90_000)
  for (let i = 0; i < 100; i++) ada.note(`large ${i}`, `${text}${i}`)
  await world.settle()
  ada.note('waits', 'in the outbox')
  await world.restore(backup, { marked: true })
  for (const oneShot of [true, false]) {
    const failure = await world.sync(ada, { oneShot }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'HISTORY_DIVERGED' })
    expect(String(failure)).toContain('rejoin repair')
  }
  expect(await world.heals()).toHaveLength(1)
  const heal = (): Promise<object> => world.heal(ada)
  expect(await heal()).toMatchObject({ kind: 'healed' })
  const records = (await world.records()).length
  // Once more is as good as once.
  expect(await heal()).toMatchObject({ kind: 'healed' })
  expect((await world.records()).length).toBe(records)
  await world.sync(ada)
  await world.settle()
  await expectHealed(world)
  expect(Object.keys(ada.texts)).toHaveLength(102)
  expect(await heal()).toEqual({ kind: 'whole' })
})

test('[25] an operator brings a namespace back that the hub does not have, and is refused like a replica', async () => {
  const { world, ada, bob } = await lost()
  await world.restore(new MapHubStore(), { marked: false })
  expect(await world.heal(ada)).toMatchObject({ kind: 'healed' })
  await world.settle()
  await expectHealed(world)
  await world.finish(world.hubAt(0).rebuild(NAMESPACE))
  const before = await world.records()
  const { cursor } = bob.replica.status
  if (cursor === null) throw new Error('bob has a cursor')
  const foreign = { ...cursor, epoch: cursor.epoch - 1, seq: cursor.seq + 9 }
  await expect(world.heal(bob, { cursor: foreign })).rejects.toMatchObject({ code: 'HISTORY_DIVERGED' })
  expect(await world.records()).toEqual(before)
})

test('[23][25] a document that lost history is not rebuilt by itself, but by an operator; then what is still missing is refused', async () => {
  const { world, ada, bob, eve, backup } = await lost({ rebuild: { bytesMin: 40, factor: 0 } })
  eve.note('e2', 'of eve alone')
  await world.sync(eve)
  await world.restore(backup, { marked: true })
  for (const member of [ada, bob]) await world.sync(member)
  // Enough for this hub, which rebuilds what has any dead bytes worth speaking of.
  const takeTurns = async (): Promise<void> => {
    for (let i = 0; i < 40; i++) {
      const member = i % 2 === 0 ? ada : bob
      member.note('again', `and again ${i}`)
      await world.sync(member)
    }
    await world.finish(world.hubAt(0).checkpoint(NAMESPACE))
    await world.pass(1_000)
  }
  await takeTurns()
  expect(world.hubAt(0).metrics().rebuilds).toBe(0)
  await world.finish(world.hubAt(0).rebuild(NAMESPACE))
  await world.sync(ada)
  await expect(world.sync(eve)).rejects.toMatchObject({ code: 'HISTORY_DIVERGED' })
  expect(eve.texts).toMatchObject({ e2: 'of eve alone' })
  await world.settle(ada, bob)
  await expectHealed(world, [ada, bob])
  expect(ada.texts).toEqual({ ...everything, again: 'and again 39' })
  // From here on the policy may do it again.
  await takeTurns()
  expect(world.hubAt(0).metrics().rebuilds).toBeGreaterThan(1)
})

test('[22][25] where the document was rebuilt since the backup, the first to come back with the new one makes it everybody’s', async () => {
  for (const oneShot of [false, true]) {
    const { world, ada, bob, eve, backup } = await lost()
    await world.finish(world.hubAt(0).rebuild(NAMESPACE))
    for (const member of [ada, bob]) await world.sync(member)
    ada.note('rebuilt', 'and written')
    await world.sync(ada)
    // Bob is a little behind ada; eve has not heard of the rebuild.
    bob.note('waits', 'in the outbox')
    eve.note('waits too', 'in the outbox')
    const { epoch } = ada.replica.status.cursor ?? { epoch: 0 }
    await world.restore(backup, { marked: true })
    expect((await world.sync(ada, { oneShot })).path).toBe('heal')
    expect(ada.replica.status.cursor?.epoch).toBe(epoch)
    await world.sync(bob, { oneShot })
    await expect(world.sync(eve, { oneShot })).rejects.toMatchObject({ code: 'HISTORY_DIVERGED' })
    expect(eve.texts).toMatchObject({ 'waits too': 'in the outbox' })
    const old = await world.join('of the backup')
    await world.sync(old, { oneShot })
    for (let round = 0; round < 2; round++)
      for (const member of [ada, bob, old]) await world.sync(member, { oneShot })
    await expectHealed(world, [ada, bob, old])
    expect(ada.texts).toEqual({ ...everything, rebuilt: 'and written', waits: 'in the outbox' })
  }
})

test('[7][22][25] who is on its way to another epoch, and meets what came back, is reset to it', async () => {
  for (const isTrimmed of [false, true]) {
    const { world, ada, bob, eve } = await lost()
    const rebuilt = world.hubAt(0)
    await world.finish(rebuilt.rebuild(NAMESPACE))
    const backup = world.backup()
    await world.sync(ada)
    ada.note('lost', 'and brought back')
    await world.sync(ada)
    await world.restore(backup, { marked: true })
    await world.sync(ada)
    if (isTrimmed) await world.finish(world.hubAt(0).checkpoint(NAMESPACE))
    bob.note('waits', 'in the outbox')
    // Both stand right before the rebuild, and offer to make it themselves.
    for (const member of [bob, eve]) await world.sync(member)
    await world.settle()
    await expectHealed(world)
    expect(eve.texts).toEqual({ ...everything, lost: 'and brought back', waits: 'in the outbox' })
  }
})

test('[7][25] documents that were rebuilt apart are never mixed: whoever comes second is refused, and keeps what it has', async () => {
  const { world, ada, bob, backup } = await lost()
  await world.finish(world.hubAt(0).rebuild(NAMESPACE))
  await world.sync(ada)
  const kept = ada.texts
  await world.restore(backup, { marked: true })
  bob.note('first', 'to come back')
  await world.sync(bob)
  await world.finish(world.hubAt(0).rebuild(NAMESPACE))
  await expect(world.sync(ada)).rejects.toMatchObject({ code: 'HISTORY_DIVERGED' })
  expect(ada.texts).toEqual(kept)
  await world.settle(bob)
  await expectHealed(world, [bob])
})
