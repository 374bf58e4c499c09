/**
 * Plain Yjs clients: strange updates of pages that were honest until then. A page is closed with a code or what it said is
 * taken; another page and a replica go on, and read what the hub's log says.
 */
import { CLIENT_ID_MIN, HlcClock, isErrorCode, replicaIdOf, type Clock } from '@rejoin/core'
import { digestOf, wrapDocument, yjsCrdt } from '@rejoin/crdt-adapter'
import { verifyNamespace } from '@rejoin/hub'
import * as Y from 'yjs'
import type { Seeded } from '../../support/seeded.ts'
import { Author } from '../author.ts'
import { HubWorld, Member, turnsUntil } from '../hub-world.ts'
import { PlainPage } from '../plain-page.ts'
import { shapes } from '../shapes.ts'
import { struck } from '../strange-bytes.ts'
import { strangeUpdate, type Known } from '../strange-updates.ts'
import { hex, type Progress, type Target } from '../target.ts'

/** Between two honest ops of the members. */
const perHonest = 10
/** So many turns after its message a page is closed, or the message was taken. */
const turns = 12

export const plain: Target = {
  name: 'plain',
  inputs: 250,
  growthBytesMax: 16 * 2 ** 20,
  async run(random, progress) {
    const world = new HubWorld()
    const native = new Member(await world.line(new Author(random, world.clock), 'home').caughtUp(), random)
    await native.write(20)
    const page = await openPage(world, random)
    for (let i = 0; i < 40; i++) page.write(random)
    for (let n = 0; n < plain.inputs; n++) {
      if (n % perHonest === 0) {
        await native.write()
        page.write(random)
      }
      await strike(world, random, progress)
    }
    await native.write()
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
    if (page.closedWith !== null) throw new Error(`an honest page was closed: ${page.closedWith.message}`)
    if (page.heard.has('PermissionDenied')) throw new Error('an honest page was refused something')
    await world.check('home', [native])
    const { digest } = await verifyNamespace(world.store, yjsCrdt.updates, 'home')
    if (digestOf(page.tables.registers) !== digest)
      throw new Error('the page reads something else than the hub')
    page.destroy()
    await world.close()
  },
}

async function openPage(world: HubWorld, random: Seeded): Promise<PlainPage> {
  const page = new PlainPage(world.hub, 'home', random, world.clock)
  await turnsUntil('the hub has asked', () => page.isAnswered || page.closedWith !== null)
  return page
}

async function strike(world: HubWorld, random: Seeded, progress: Progress): Promise<void> {
  const stranger = await openPage(world, random)
  const known = Y.decodeStateVector(Y.encodeStateVector(stranger.doc))
  const honest = random.chance(0.5) ? someUpdate(stranger, random, world.clock) : wholeOf(stranger, known)
  const update = random.chance(0.8) ? strangeUpdate(random, honest, known) : struck(random, honest)
  progress.begin(() => hex(update))
  const type = random.pick(['Update', 'Update', 'SyncStep2'] as const)
  stranger.say({ type, update })
  if (random.chance(0.1))
    stranger.say({ type: 'SyncStep1', stateVector: struck(random, Y.encodeStateVector(stranger.doc)) })
  if (random.chance(0.1)) stranger.say({ type: 'Awareness', update: struck(random, update) })
  for (let turn = 0; turn < turns && stranger.closedWith === null; turn++)
    await new Promise((resolve) => setImmediate(resolve))
  progress.over()
  const code = stranger.closedWith?.code ?? null
  progress.ended(code ?? 'taken')
  if (code !== null && (!isErrorCode(code) || code === 'HUB_INTERNAL')) throw new Error(`closed with ${code}`)
  stranger.destroy()
}

/** What it would say next, and has not said. */
function someUpdate(page: PlainPage, random: Seeded, clock: Clock): Uint8Array {
  const copy = new Y.Doc()
  copy.clientID = page.doc.clientID
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(page.doc))
  const before = Y.encodeStateVector(copy)
  // Through tables: an array's own `insert` names the item to its right, where that is deleted.
  const tables = wrapDocument(shapes, copy)
  const hlc = new HlcClock(replicaIdOf(new Uint8Array(16)), tables.newestHlc).tick(clock.now())
  tables.apply(
    [
      { type: 'OwnerSet', owner: `page ${random.whole(0, 2 ** 30)}` },
      { type: 'RowRemoved', id: 'a' },
    ],
    hlc,
  )
  const update = Y.encodeStateAsUpdate(copy, before)
  tables.destroy()
  copy.destroy()
  return update
}

/** Without the filler of the epoch, as the hub asks for it. */
function wholeOf({ doc }: PlainPage, known: Known): Uint8Array {
  const filler = [...known].filter(([client]) => client < CLIENT_ID_MIN)
  return Y.encodeStateAsUpdate(doc, yjsCrdt.updates.stateVector(new Map(filler)))
}
