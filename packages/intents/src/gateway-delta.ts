/**
 * What a thin client lacks, as ops of kinds: the log's ops in their order, and behind them what puts right whatever these
 * alone would leave different. A log's order is not everything that decides what a document reads: a concurrent value with
 * a later stamp wins, and what a remove had not seen stays. So every register that the ops touch is compared with
 * the document they led to; whoever carries out the ops ends with its content.
 */
import { unreachable, type AnyOp } from '@rejoin/core'
import type { IntentsTables } from './domain.ts'
import { isEmpty } from './fields.ts'
import {
  editJson,
  hasKind,
  type KindOp,
  type OwnOp,
  type VersionedOp,
  type WeightChange,
} from './gateway-ops.ts'
import { FollowedFields, FollowedIntent } from './gateway-followed.ts'

export class GatewayDelta {
  readonly #ops: VersionedOp[] = []
  readonly #intents = new Map<string, FollowedIntent>()
  readonly #namespace = new FollowedFields()
  readonly #domains = new FollowedFields()
  #chars = 0

  /** Ops so far, and how many characters they take as JSON, roughly. */
  get size(): { readonly ops: number; readonly chars: number } {
    return { ops: this.#ops.length, chars: this.#chars }
  }

  /** Takes the ops of one commit, in log order. False: one of them has no kind, so there is no delta. */
  add(version: number, ops: readonly AnyOp[]): boolean {
    for (const op of ops) {
      if (!hasKind(op)) return false
      for (const kindOp of this.#follow(op)) this.#push(kindOp, version)
    }
    return true
  }

  /**
   * All ops of the delta to `version`, where the document is what `tables` read. Null: a register was given up without an
   * op that says so, which kinds cannot say.
   */
  settled(tables: IntentsTables, version: number): readonly VersionedOp[] | null {
    for (const [id, followed] of this.#intents) {
      const ops = followed.settle(id, tables)
      if (ops === null) return null
      for (const op of ops) this.#push(op, version)
    }
    const edit = this.#namespace.differing(tables.namespace.get())
    if (!isEmpty(edit)) this.#push({ kind: 'namespace_metadata_updated', edit_json: editJson(edit) }, version)
    for (const [domain, told] of this.#domains.entries()) {
      const description = tables.domains.get(domain) ?? null
      if (description !== told) this.#push({ kind: 'domain_description', domain, description }, version)
    }
    const removedAt = new Map<string, number>()
    for (const [i, op] of this.#ops.entries()) if (op.kind === 'intent_removed') removedAt.set(op.id, i)
    return this.#ops.flatMap((op, i) => {
      const isMeant = (id: string): boolean => {
        if (i < (removedAt.get(id) ?? 0)) return false
        return tables.intents.has(id) || this.#intents.get(id)?.isStructural === true
      }
      return meant(op, isMeant)
    })
  }

  #push(op: KindOp, version: number): void {
    this.#ops.push({ ...op, version })
    this.#chars += JSON.stringify(op).length
  }

  /** The op in kinds, and what a client has of the registers it touches once it has carried it out. */
  #follow(op: OwnOp): readonly KindOp[] {
    switch (op.type) {
      case 'IntentAdded': {
        const { id, phrasesByLang, description = null, instructions = null, persona = null } = op
        return this.#intent(id).added(id, phrasesByLang, { description, instructions, persona })
      }
      case 'IntentRemoved':
        this.#intent(op.id).removed()
        return [{ kind: 'intent_removed', id: op.id }]
      case 'PhraseAdded': {
        const { intentId, phrase, lang } = op
        if (this.#intent(intentId).isGone) return []
        this.#intent(intentId).phraseAdded(phrase, lang)
        return [{ kind: 'phrase_added', intent_id: intentId, phrase, lang }]
      }
      case 'PhraseRemoved': {
        const { intentId, phrase } = op
        if (this.#intent(intentId).isGone) return []
        this.#intent(intentId).phraseRemoved(phrase)
        return [{ kind: 'phrase_removed', intent_id: intentId, phrase }]
      }
      case 'WeightUpdates': {
        const changes = op.changes
          .filter(([, id]) => !this.#intent(id).isGone)
          .map(([token, id, weight]): WeightChange => [token, id, Math.fround(weight)])
        for (const [token, id, weight] of changes) this.#intent(id).weighed(token, weight)
        return changes.length === 0 ? [] : [{ kind: 'weight_updates', changes }]
      }
      case 'IntentMetadataUpdated': {
        const { id, edit } = op
        if (isEmpty(edit) || this.#intent(id).isGone) return []
        this.#intent(id).edited(edit)
        return [{ kind: 'intent_metadata_updated', id, edit_json: editJson(edit) }]
      }
      case 'NamespaceMetadataUpdated':
        if (isEmpty(op.edit)) return []
        this.#namespace.edit(op.edit)
        return [{ kind: 'namespace_metadata_updated', edit_json: editJson(op.edit) }]
      case 'DomainDescription': {
        const { domain, description } = op
        this.#domains.edit({ [domain]: description })
        return [{ kind: 'domain_description', domain, description }]
      }
      default:
        return unreachable(op)
    }
  }

  #intent(id: string): FollowedIntent {
    let followed = this.#intents.get(id)
    if (followed === undefined) this.#intents.set(id, (followed = new FollowedIntent()))
    return followed
  }
}

/** Less what is said of intents that the client does not have, or not for long: it would ignore it, or keep weights of nothing. */
function meant(op: VersionedOp, isMeant: (id: string) => boolean): readonly VersionedOp[] {
  switch (op.kind) {
    case 'intent_added':
    case 'intent_removed':
    case 'intent_metadata_updated':
      return isMeant(op.id) ? [op] : []
    case 'phrase_added':
    case 'phrase_removed':
      return isMeant(op.intent_id) ? [op] : []
    case 'weight_updates': {
      const changes = op.changes.filter(([, id]) => isMeant(id))
      return changes.length === 0 ? [] : [{ ...op, changes }]
    }
    case 'namespace_metadata_updated':
    case 'domain_description':
      return [op]
    default:
      return unreachable(op)
  }
}
