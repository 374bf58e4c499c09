/** Random steps against a plain model of one log. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { HubStore, Seq } from '@rejoin/core'
import type { Cases } from '../suite-cases.ts'
import { all, bytesOf, checkpointAt, textOf, withHubStore, type OpenHubStore } from './opened.ts'

/** Seqs of appended records by text, oldest first; `dropped` of them are below the floor. */
interface LogModel {
  records: { readonly seq: Seq; readonly text: string }[]
  dropped: number
  checkpoint: Seq
  removed: boolean
}

type Step =
  | { readonly kind: 'append'; readonly behind: number }
  | { readonly kind: 'checkpoint' | 'trim' | 'read'; readonly place: number }
  | { readonly kind: 'remove' | 'reopen' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('append'), behind: fc.constantFrom(0, 0, 0, 1, 2) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constantFrom('checkpoint', 'trim', 'read'), place: fc.nat(12) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('remove', 'reopen') }) },
)

export function randomCases(open: OpenHubStore): Cases {
  return {
    'random steps in three namespaces leave what a plain model holds': () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.constantFrom('a', 'a-b', 'b'), step), { maxLength: 40 }),
          (steps) =>
            withHubStore(open, async (first, { reopen }) => {
              let store = first
              const models = new Map<string, LogModel>()
              for (const [i, [namespace, each]] of steps.entries()) {
                const model = models.get(namespace) ?? {
                  records: [],
                  dropped: 0,
                  checkpoint: 0,
                  removed: false,
                }
                models.set(namespace, model)
                if (each.kind === 'reopen') store = reopen === undefined ? store : await reopen()
                else await take(store, namespace, model, each, `step ${i}`)
              }
              for (const [namespace, model] of models) await checkLog(store, namespace, model)
            }),
        ),
        { numRuns: 30 },
      ),
  }
}

async function take(
  store: HubStore,
  namespace: string,
  model: LogModel,
  step: Step,
  text: string,
): Promise<void> {
  switch (step.kind) {
    case 'append': {
      const head = headOf(model)
      const after = Math.max(0, head - step.behind)
      const result = await store.append(namespace, after, bytesOf(text))
      if (after !== head || model.removed) return assert.deepEqual(result, { kind: 'moved', head })
      assert.ok(result.kind === 'appended')
      model.records.push({ seq: result.seq, text })
      return
    }
    case 'checkpoint': {
      const seq = seqAt(model, step.place)
      if (seq === null) return
      const installed = await store.installCheckpoint(namespace, checkpointAt(seq, `${seq}`))
      assert.equal(installed, seq > model.checkpoint ? 'installed' : 'superseded')
      model.checkpoint = Math.max(model.checkpoint, seq)
      return
    }
    case 'trim': {
      const upTo = Math.min(seqAt(model, step.place) ?? 0, model.checkpoint)
      const droppable = model.records.slice(0, -1).filter(({ seq }) => seq <= upTo).length
      model.dropped = Math.max(model.dropped, droppable)
      assert.deepEqual(await store.trim(namespace, upTo), { floor: floorOf(model), head: headOf(model) })
      return
    }
    case 'read':
      return await checkRead(store, namespace, model, seqAt(model, step.place) ?? 0)
    case 'remove':
      await store.remove(namespace)
      model.removed ||= model.records.length > 0
      Object.assign(model, { records: [], dropped: 0, checkpoint: 0 })
      return
    case 'reopen':
      return
  }
}

async function checkRead(store: HubStore, namespace: string, model: LogModel, after: Seq): Promise<void> {
  const result = await store.readTail(namespace, after, all)
  if (after < floorOf(model)) {
    return assert.deepEqual(result, { kind: 'gap', floor: floorOf(model), head: headOf(model) })
  }
  assert.ok(result.kind === 'records')
  assert.deepEqual(
    result.records.map(({ seq, body }) => ({ seq, text: textOf(body) })),
    model.records.filter(({ seq }) => seq > after),
  )
}

async function checkLog(store: HubStore, namespace: string, model: LogModel): Promise<void> {
  const expected = model.records.length > 0 ? 'present' : model.removed ? 'removed' : 'unknown'
  assert.equal(await store.state(namespace), expected)
  await checkRead(store, namespace, model, floorOf(model))
  const checkpoint = await store.checkpoint(namespace)
  assert.equal(checkpoint?.seq ?? 0, model.checkpoint)
  if (checkpoint !== null) assert.equal(textOf(await checkpoint.snapshot()), `snapshot ${checkpoint.seq}`)
}

function headOf(model: LogModel): Seq {
  return model.records.at(-1)?.seq ?? 0
}

function floorOf(model: LogModel): Seq {
  return model.records[model.dropped - 1]?.seq ?? 0
}

function seqAt(model: LogModel, place: number): Seq | null {
  return model.records[place % Math.max(1, model.records.length)]?.seq ?? null
}
