// Models in the order in which they are shown: a base, then the adapters that are its own.
import type { Model } from "../api/models";

export interface Member {
  model: Model;
  isAdapter: boolean;
}

/** An adapter whose base is not there stands by itself. */
export function families(models: Model[]): Member[] {
  const isBase = ({ parent }: Model) => !parent || !models.some(({ id }) => id === parent);
  return models
    .filter(isBase)
    .flatMap((base) => [
      { model: base, isAdapter: false },
      ...models.filter((one) => one.parent === base.id && one !== base).map((model) => ({ model, isAdapter: true })),
    ]);
}
