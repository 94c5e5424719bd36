export function ModelsList() {
  return null;
}

export function ModelsView() {
  return null;
}
