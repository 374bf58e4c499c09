/** Ops of the two domains of simulated histories, drawn from chance: few ids and few values, so that writers meet. */
import type { AnyDomain, AnyOp } from '@rejoin/core'
import { todo } from '@rejoin/examples/todo'
import { intents } from '@rejoin/intents'
import type { Chance } from 'rejoin/testing'

const ids = ['a', 'b', 'c']
const words = ['one', 'two', 'three']
const langs = ['en', 'de']
const weights = [0, 0.25, 0.5, 1]

export interface DrawnOps {
  readonly ops: readonly AnyOp[]
  /** The same with the row that it needs, where it needs one. */
  readonly instead?: readonly AnyOp[]
}

export interface SimulatedDomain {
  readonly domain: AnyDomain
  readonly draw: (chance: Chance) => DrawnOps
}

export const simulatedDomains: readonly SimulatedDomain[] = [
  { domain: intents, draw: (chance) => drawn(chance, intentsOp) },
  { domain: todo, draw: (chance) => drawn(chance, todoOp) },
]

interface DrawnOp {
  readonly op: AnyOp
  readonly parent: AnyOp | null
}

/** Often one op, sometimes several as one commit. */
function drawn(chance: Chance, draw: (chance: Chance) => DrawnOp): DrawnOps {
  const count = chance.isIn(80) ? 1 : chance.between(2, 4)
  const all = Array.from({ length: count }, () => draw(chance))
  const ops = all.map(({ op }) => op)
  const parents = all.flatMap(({ parent }) => (parent === null ? [] : [parent]))
  return parents.length === 0 ? { ops } : { ops, instead: [...parents, ...ops] }
}

function intentsOp(chance: Chance): DrawnOp {
  const id = chance.pick(ids)
  const phrase = chance.pick(words)
  const parent: AnyOp = { type: 'IntentAdded', id, phrasesByLang: {} }
  switch (chance.below(10)) {
    case 0: {
      const phrasesByLang = Object.fromEntries(
        langs.filter(() => chance.isIn(50)).map((lang) => [lang, [phrase]]),
      )
      const said = chance.isIn(50) ? { description: chance.pick(words) } : {}
      return { op: { type: 'IntentAdded', id, phrasesByLang, ...said }, parent: null }
    }
    case 1:
      return { op: { type: 'IntentRemoved', id }, parent: null }
    case 2:
    case 3:
      return { op: { type: 'PhraseAdded', intentId: id, phrase, lang: chance.pick(langs) }, parent }
    case 4:
      return { op: { type: 'PhraseRemoved', intentId: id, phrase }, parent: null }
    case 5:
    case 6: {
      const changes = Array.from({ length: chance.between(1, 2) }, () => [
        chance.pick(words),
        id,
        chance.pick(weights),
      ])
      return { op: { type: 'WeightUpdates', changes }, parent }
    }
    case 7: {
      const edit = chance.isIn(50)
        ? { description: chance.isIn(75) ? phrase : null }
        : { guardrails: words.filter(() => chance.isIn(40)) }
      return { op: { type: 'IntentMetadataUpdated', id, edit }, parent }
    }
    case 8:
      return {
        op: { type: 'NamespaceMetadataUpdated', edit: { name: chance.isIn(75) ? phrase : null } },
        parent: null,
      }
    default:
      return {
        op: { type: 'DomainDescription', domain: id, description: chance.isIn(75) ? phrase : null },
        parent: null,
      }
  }
}

function todoOp(chance: Chance): DrawnOp {
  const list = chance.pick(ids)
  const parent: AnyOp = { type: 'ListAdded', id: list, title: 'new' }
  switch (chance.below(8)) {
    case 0:
      return { op: { type: 'ListRemoved', id: list }, parent: null }
    case 1:
    case 2:
    case 3:
      return { op: { type: 'ListAdded', id: list, title: chance.pick(words) }, parent: null }
    default:
      return { op: { type: 'ItemDone', list, item: chance.pick(ids), text: chance.pick(words) }, parent }
  }
}
