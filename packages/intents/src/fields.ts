/** Sorting the fields of edits and files: those that say something, and those that are to be cleared. */

export type Present<F> = { [Field in keyof F]?: NonNullable<F[Field]> }

/** The fields that are neither null nor undefined. */
export function present<F extends object>(fields: F): Present<F> {
  const named = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)
  // The fields and values are those of `fields`, less some.
  return Object.fromEntries(named) as Present<F>
}

/** The names of the fields that are null. */
export function cleared<F extends object>(fields: F): (keyof F & string)[] {
  const names = Object.entries(fields).filter(([, value]) => value === null)
  return names.map(([name]) => name as keyof F & string)
}

export function isEmpty(fields: object): boolean {
  return Object.keys(fields).length === 0
}
