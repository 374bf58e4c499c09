/**
 * What an item of the array holds, in pieces. Yjs's own `ContentAny` is one array that is copied whole each time an item is
 * cut or joined, so that one overwrite among 100,000 entries copies 100,000 of them. This one copies a piece at most, and
 * writes the very same bytes. Yjs joins only contents of one class, so every item of the array gets it.
 */
import { assert } from '@rejoin/core'
import type * as Y from 'yjs'

/** Elements of a piece: cutting one costs as much as stepping over so many of them. */
const PIECE_MAX = 512
/** Yjs's number for plain values. */
const REF_ANY = 8

type Encoder = Y.UpdateEncoderV1 | Y.UpdateEncoderV2

export class EntryContent {
  /** In order, none of them empty. */
  #pieces: unknown[][]
  #length: number

  private constructor(pieces: unknown[][], length: number) {
    this.#pieces = pieces
    this.#length = length
  }

  static of(elements: readonly unknown[]): EntryContent {
    const pieces: unknown[][] = []
    for (let from = 0; from < elements.length; from += PIECE_MAX) {
      pieces.push(elements.slice(from, from + PIECE_MAX))
    }
    return new EntryContent(pieces, elements.length)
  }

  getLength(): number {
    return this.#length
  }

  getContent(): unknown[] {
    const [only, second] = this.#pieces
    return only !== undefined && second === undefined ? only : this.#pieces.flat()
  }

  isCountable(): boolean {
    return true
  }

  copy(): EntryContent {
    return new EntryContent(
      this.#pieces.map((piece) => [...piece]),
      this.#length,
    )
  }

  /** Keeps what is left of `offset` and returns the rest. */
  splice(offset: number): EntryContent {
    const { piece, within } = this.#find(offset)
    const right = this.#pieces.splice(piece)
    const cut = right[0]
    if (within > 0 && cut !== undefined) {
      right[0] = cut.slice(within)
      cut.length = within
      this.#pieces.push(cut)
    }
    const rest = new EntryContent(right, this.#length - offset)
    this.#length = offset
    return rest
  }

  /** `right` is used up. */
  mergeWith(right: EntryContent): boolean {
    const last = this.#pieces.at(-1)
    const [first] = right.#pieces
    if (last !== undefined && first !== undefined && last.length + first.length <= PIECE_MAX) {
      // The shorter side moves: of very many commits that are joined one by one, that is one element each.
      right.#pieces[0] =
        last.length < first.length ? (first.unshift(...last), first) : (last.push(...first), last)
      this.#pieces.pop()
    }
    // Whoever has fewer pieces gives them away.
    if (this.#pieces.length < right.#pieces.length) {
      this.#pieces = [...this.#pieces, ...right.#pieces]
    } else {
      for (const piece of right.#pieces) this.#pieces.push(piece)
    }
    this.#length += right.#length
    return true
  }

  integrate(): void {}

  delete(): void {}

  gc(): void {}

  write(encoder: Encoder, offset: number): void {
    encoder.writeLen(this.#length - offset)
    if (offset === this.#length) return
    const start = this.#find(offset)
    for (let i = start.piece; i < this.#pieces.length; i++) {
      const piece = this.#pieces[i] ?? []
      for (let at = i === start.piece ? start.within : 0; at < piece.length; at++) encoder.writeAny(piece[at])
    }
  }

  getRef(): number {
    return REF_ANY
  }

  /** Where the element at `offset` stands; from the end, where new entries are. */
  #find(offset: number): { piece: number; within: number } {
    let start = this.#length
    for (let piece = this.#pieces.length - 1; piece >= 0; piece--) {
      start -= this.#pieces[piece]?.length ?? 0
      if (start <= offset) return { piece, within: offset - start }
    }
    assert(false, 'an offset lies within')
  }
}
