export function TrainList() {
  return null;
}

export function TrainView() {
  return null;
}
