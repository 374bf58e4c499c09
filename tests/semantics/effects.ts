/** The words in which a domain is told to the model: what its tables are, and what its ops do to them. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }
export type Merge = (values: readonly Json[]) => Json

/** A table as the model needs it. */
export interface Shape {
  readonly keyLength: number
  readonly under?: string
  /** Records have fields, maps have none. */
  readonly fields?: readonly string[]
  /** By field; '' for the value of a map. */
  readonly merge?: Readonly<Record<string, Merge>>
}
export type Shapes = Readonly<Record<string, Shape>>

/** What an op does to registers, said without the engine. */
export type Effect =
  | { readonly kind: 'set'; readonly at: Place; readonly value: Json }
  | { readonly kind: 'remove'; readonly at: Place }
  /** The row with its fields and everything under it. */
  | { readonly kind: 'removeRow'; readonly table: string; readonly row: readonly string[] }

export interface Place {
  readonly table: string
  readonly row: readonly string[]
  readonly field: string | null
}

export const at = (table: string, row: readonly string[], field: string | null = null): Place => ({
  table,
  row,
  field,
})
export const set = (place: Place, value: Json): Effect => ({ kind: 'set', at: place, value })
