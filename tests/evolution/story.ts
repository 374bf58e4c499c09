/** A story of apps and hubs that change between two versions of a domain, told step by step and judged at its end. */
import assert from 'node:assert/strict'
import { z } from 'zod'
import { commitName, defineDomain, Id, map, records, type AnyDomain, type AnyOp } from '@rejoin/core'
import { verifyNamespace } from '@rejoin/hub'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { codeOf, Device, EvolvingWorld, NAMESPACE } from './world.ts'

const title = z.string()
const labels = map({ key: z.tuple([Id, Id]), value: z.string(), under: 'tasks' })
const first = defineDomain({
  name: 'tasks',
  version: 1,
  tables: { tasks: records({ title, done: z.boolean() }), labels },
  ops: (op) => ({
    TaskAdded: op(z.object({ id: Id, title }), (t, o) => t.tasks.add(o.id, { title: o.title })),
    TaskDone: op(z.object({ id: Id }), (t, o) => t.tasks.set(o.id, { done: true })),
    TaskRemoved: op(z.object({ id: Id }), (t, o) => t.tasks.remove(o.id)),
    Labelled: op(z.object({ id: Id, label: Id }), (t, o) => t.labels.set([o.id, o.label], o.label)),
  }),
})
const due = z.string().nullable()
const second = defineDomain({
  name: 'tasks',
  version: 2,
  tables: {
    tasks: records({ title, done: z.boolean(), due }),
    notes: map({ key: z.tuple([Id, Id]), value: z.string(), under: 'tasks' }),
  },
  retired: { labels },
  ops: (op) => ({
    TaskAdded: op(z.object({ id: Id, title, due }), (t, o) =>
      t.tasks.add(o.id, { title: o.title, due: o.due }),
    ),
    TaskClosed: op(z.object({ id: Id }), (t, o) => t.tasks.set(o.id, { done: true })),
    TaskRemoved: op(z.object({ id: Id }), (t, o) => t.tasks.remove(o.id)),
    Noted: op(z.object({ id: Id, note: Id }), (t, o) => t.notes.set([o.id, o.note], o.note)),
  }),
  upcast: {
    TaskAdded: { 1: (o) => ({ ...o, due: null }) },
    TaskDone: { 1: (o) => ({ ...o, type: 'TaskClosed' }) },
    Labelled: { 1: () => null },
  },
})
const domains: readonly AnyDomain[] = [first, second]

export type Step =
  | { kind: 'write'; device: number; what: number; which: number }
  | { kind: 'sync'; device: number }
  | { kind: 'app'; device: number; version: number }
  | { kind: 'hub'; version: number }
  | { kind: 'checkpoint' }
  | { kind: 'rebuild' }

export const DEVICES = 3

export class Story {
  readonly #world = new EvolvingWorld(first)
  readonly #devices: Device[] = []
  readonly #accepted: string[] = []
  /** Read before each rebuild drops what was logged. */
  readonly #logged: string[] = []
  readonly #ids: string[] = []
  readonly #removed = new Set<string>()

  async begin(): Promise<void> {
    for (const at of [0, 1, 1]) this.#devices.push(await Device.open(this.#world, domainAt(at)))
  }

  async take(story: Step): Promise<void> {
    const at = story.kind === 'hub' ? undefined : 'device' in story ? this.#devices[story.device] : undefined
    switch (story.kind) {
      case 'write':
        return this.#write(at, story.what, story.which)
      case 'sync':
        assert.ok([null, 'DOMAIN_TOO_NEW'].includes((await at?.sync()) ?? null))
        return
      case 'app':
        return at?.update(domainAt(story.version))
      case 'hub':
        return this.#world.serve(domainAt(story.version))
      case 'checkpoint':
      case 'rebuild':
        if (story.kind === 'rebuild') await this.#readLog()
        return this.#world[story.kind]().then(
          () => {},
          (error: unknown) => assert.equal(codeOf(error), 'NAMESPACE_UNKNOWN'),
        )
    }
  }

  /** Everybody is updated and meets everybody. */
  async end(): Promise<void> {
    await this.#world.serve(second)
    for (const each of this.#devices) await each.update(second)
    for (let round = 0; round < 2; round++) {
      for (const each of this.#devices) assert.equal(await each.sync(), null)
    }
    const [one, ...others] = this.#devices
    if (one === undefined) throw new Error('there is a device')
    for (const { replica } of this.#devices) {
      const { pending, domainTooNew, lastError } = replica.status
      assert.deepEqual(
        { pending, domainTooNew, lastError },
        { pending: 0, domainTooNew: null, lastError: null },
      )
      assert.deepEqual(replica.rejected, [])
      assert.equal(replica.unplaced, 0)
    }
    for (const other of others) {
      assert.deepEqual(other.rows('tasks'), one.rows('tasks'))
      assert.deepEqual(other.rows('notes'), one.rows('notes'))
      assert.deepEqual(other.replica.conflicts(), one.replica.conflicts())
      assert.deepEqual(other.digest, one.digest)
    }
    const kept = this.#ids.filter((id) => !this.#removed.has(id))
    const rows = one.rows('tasks')
    assert.deepEqual(
      kept.filter((id) => !Object.hasOwn(rows, id)),
      [],
    )
    if (this.#accepted.length === 0) return
    await this.#readLog()
    assert.deepEqual([...this.#logged].sort(), [...this.#accepted].sort())
    const report = await verifyNamespace(this.#world.store, yjsCrdt.updates, NAMESPACE)
    assert.deepEqual(report.faults, [])
    assert.equal(report.digest, one.digest)
  }

  async #readLog(): Promise<void> {
    const state = await this.#world.store.state(NAMESPACE)
    if (state === 'present') this.#logged.push(...(await this.#world.log()).map(({ id }) => commitName(id)))
  }

  #write(at: Device | undefined, what: number, which: number): void {
    if (at === undefined) return
    const id = this.#ids[which] ?? `t${this.#ids.length}`
    const adds = `t${this.#ids.length}`
    const isNew = at.replica.domain === second
    const op: AnyOp = [
      {
        type: 'TaskAdded',
        id: adds,
        title: `of version ${isNew ? 2 : 1}`,
        ...(isNew ? { due: 'soon' } : {}),
      },
      { type: isNew ? 'TaskClosed' : 'TaskDone', id },
      isNew ? { type: 'Noted', id, note: 'n' } : { type: 'Labelled', id, label: 'l' },
      { type: 'TaskRemoved', id },
    ][what] ?? { type: 'TaskRemoved', id }
    const before = at.replica.encode()
    const newer = at.replica.status.domainTooNew !== null
    try {
      const receipt = at.apply(op)
      assert.equal(newer, false)
      if (op.type === 'TaskAdded') this.#ids.push(adds)
      if (op.type === 'TaskRemoved') this.#removed.add(id)
      if (receipt.kind === 'commit') this.#accepted.push(commitName(receipt.id))
    } catch (error) {
      assert.equal(codeOf(error), newer ? 'DOMAIN_TOO_NEW' : 'PARENT_MISSING')
      assert.deepEqual(at.replica.encode(), before)
    }
  }
}

function domainAt(at: number): AnyDomain {
  return domains[at] ?? first
}
