// The text of an example cut at control tokens, which are shown as such.

export interface Piece {
  text: string;
  isControl: boolean;
}

/** As checkpoints write them: <|im_start|>, <s>, </s>, <bos>, <start_of_turn>, [INST], <｜User｜>. */
const CONTROL =
  /<[|｜][^|｜<>\n]{1,60}[|｜]>|<\/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn)>|\[\/?(?:INST|gMASK)\]/g;

export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  for (const { 0: control, index } of text.matchAll(CONTROL)) {
    if (index > from) found.push({ text: text.slice(from, index), isControl: false });
    found.push({ text: control, isControl: true });
    from = index + control.length;
  }
  if (from < text.length) found.push({ text: text.slice(from), isControl: false });
  return found;
}
