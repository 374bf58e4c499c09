/** Every target, in the order in which they are run. */
import type { Target } from '../target.ts'
import { admission } from './admission.ts'
import { codec } from './codec.ts'
import { frames } from './frames.ts'
import { honest } from './honest.ts'
import { plain } from './plain.ts'
import { requests } from './requests.ts'
import { strictReader } from './updates.ts'

export const targets: readonly Target[] = [codec, frames, requests, strictReader, admission, plain, honest]

export function targetNamed(name: string): Target {
  const target = targets.find((each) => each.name === name)
  if (target === undefined)
    throw new Error(`there is no target ${name}: ${targets.map((each) => each.name).join(', ')}`)
  return target
}
