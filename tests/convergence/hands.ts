/** A world of the todo domain with short names for what tests do in it. */
import type { AnyOp } from '@rejoin/core'
import type { LocalOutcome, Step, StepOutcome, World } from '@rejoin/testkit'
import { todo } from '@rejoin/examples/todo'
import { openEngineWorld, type WorldPorts } from 'rejoin/testing'

export interface Hands {
  readonly world: World
  readonly take: (step: Step) => Promise<StepOutcome>
  readonly apply: (replica: number, ...ops: readonly AnyOp[]) => Promise<LocalOutcome>
  /** Each in turn, undisturbed. */
  readonly exchange: (...replicas: readonly number[]) => Promise<void>
}

export async function inWorld(
  replicas: number,
  use: (hands: Hands) => Promise<void>,
  ports: Partial<WorldPorts> = {},
): Promise<void> {
  const world = await openEngineWorld(todo, replicas, 0, ports)
  try {
    await use({
      world,
      take: (step) => world.take(step),
      apply: async (replica, ...ops) => {
        const outcome = await world.take({ kind: 'apply', replica, ops })
        if (outcome.kind !== 'tried') throw new Error(`an apply step came to ${outcome.kind}`)
        return outcome.attempts[0].outcome
      },
      exchange: async (...turns) => {
        for (const replica of turns) await world.take({ kind: 'exchange', replica, cutAfter: null, order: 0 })
      },
    })
  } finally {
    await world.close()
  }
}
