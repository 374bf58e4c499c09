/** A rule that was broken. */

/** `rule`: its number in `docs/SPEC.md`; `what`: what was seen. */
export interface Finding {
  readonly rule: number
  readonly what: string
}
