// Random stories of undo and redo, alone and among others who write the same keys.
import { yjsCrdt } from '@rejoin/crdt-adapter'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyOp, HubbedWorld, seenBy } from './hubbed.ts'
import { listAdded, openTodo } from './support.ts'
import { Walk, Watched, type Reached } from './undo-checks.ts'

const ops = (minLength: number, maxLength: number) => fc.array(anyOp, { minLength, maxLength })

describe('stories', () => {
  test('alone, undo and redo walk through everything that was seen', async () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: ops(1, 4) },
      { weight: 4, arbitrary: fc.constantFrom('undo' as const, 'redo' as const) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 40 }), async (steps) => {
        const walk = new Walk(await openTodo())
        for (const each of steps) walk.step(each)
      }),
      { numRuns: Number(process.env['RUNS'] ?? 200) },
    )
  }, 120_000)

  test('[1] among others, undo gives back what is still ours and nothing else, and redo takes that back', async () => {
    const who = fc.nat({ max: 2 })
    const step = fc.oneof(
      { weight: 10, arbitrary: fc.tuple(fc.constant('apply' as const), who, ops(1, 4)) },
      { weight: 3, arbitrary: fc.tuple(fc.constant('meddle' as const), who, ops(5, 8)) },
      { weight: 5, arbitrary: fc.tuple(fc.constant('sync' as const), who) },
      { weight: 5, arbitrary: fc.tuple(fc.constantFrom('undo' as const, 'redo' as const), who) },
      { weight: 3, arbitrary: fc.tuple(fc.constant('back and forth' as const), who) },
      { weight: 1, arbitrary: fc.tuple(fc.constant('rebuild' as const), who) },
    )
    const reached: Reached = { whole: 0, partly: 0, identity: 0 }
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const world = new HubbedWorld(3)
        const replicas = [await world.open(), await world.open(), await world.open()]
        const watched = replicas.map((replica) => new Watched(replica, reached))
        for (const [kind, at, input] of steps) {
          const [one, other] = [watched[at], watched[(at + 1) % watched.length]]
          if (one === undefined || other === undefined) continue
          switch (kind) {
            case 'apply':
              one.apply(input ?? [])
              break
            case 'meddle':
              for (const list of ['a', 'b', 'c']) one.apply([listAdded(list)])
              one.apply(input?.slice(0, 4) ?? [])
              await world.settle(...replicas)
              other.apply(input?.slice(4) ?? [])
              await world.settle(...replicas)
              one.turn('undo')
              break
            case 'sync':
              await world.sync(one.replica)
              break
            case 'rebuild':
              await world.rebuild().catch(() => {})
              break
            case 'back and forth':
              one.backAndForth()
              break
            default:
              one.turn(kind)
          }
        }
        await world.settle(...replicas)
        const views = replicas.map((replica) => ({
          seen: seenBy(replica),
          conflicts: replica.conflicts(),
          bytes: Buffer.from(yjsCrdt.updates.compact([replica.encode()])).toString('hex'),
          unplaced: replica.unplaced,
          pending: replica.status.pending,
          rejected: replica.rejected,
        }))
        for (const view of views) expect(view).toEqual(views[0])
        expect(views[0]).toMatchObject({ unplaced: 0, pending: 0, rejected: [] })
      }),
      { numRuns: Number(process.env['RUNS'] ?? 60) },
    )
    // The stories tell what they are for.
    expect(Math.min(reached.whole, reached.partly, reached.identity)).toBeGreaterThan(0)
  }, 300_000)
})
