/** Resolving as people do: one of the listed conflicts, in one of the ways it has; and what that means for the model. */
import type { AnyOp, Conflict } from '@rejoin/core'
import type { Resolution } from '@rejoin/replica'
import { at, set, type Effect, type Json } from './effects.ts'
import type { World } from './world.ts'

/** A label for a parent that holds a value: nobody knows the old one any more. */
const RESTORED = 'restored'

/** Gives the conflict that it resolved, or null where the replica lists none. */
export function resolveOne<Op extends AnyOp>(
  world: World<Op>,
  who: number,
  pick: number,
  how: number,
): { readonly conflict: Conflict; readonly resolution: Resolution } | null {
  const conflicts = world.replica(who).conflicts()
  const conflict = conflicts[pick % conflicts.length]
  if (conflict === undefined) return null
  const resolution = resolutionOf(conflict, how)
  const outcome = world.resolve(who, conflict, resolution, effectsOf(world, who, conflict, resolution))
  if (outcome !== 'commit') throw new Error(`resolving ${JSON.stringify(conflict)} was ${outcome}`)
  return { conflict, resolution }
}

function resolutionOf(conflict: Conflict, how: number): Resolution {
  if (conflict.kind === 'orphan')
    return how % 2 === 0 ? { kind: 'restore', value: RESTORED } : { kind: 'drop' }
  return { kind: 'choose', value: conflict.choices[how % conflict.choices.length]?.value ?? null }
}

function effectsOf<Op extends AnyOp>(
  world: World<Op>,
  who: number,
  { table, key, field }: Conflict,
  resolution: Resolution,
): readonly Effect[] {
  const place = at(table, key, field)
  switch (resolution.kind) {
    case 'choose':
      return [set(place, resolution.value as Json)]
    case 'restore':
      return world.model
        .missing(who, place)
        .map((row) => set(row, world.model.hasFields(row.table) ? true : RESTORED))
    case 'drop':
      return field === null ? [{ kind: 'removeRow', table, row: key }] : [{ kind: 'remove', at: place }]
  }
}
