import { ChevronLeft, ChevronRight } from "lucide";
import { IconButton } from "./button";

interface Props {
  text: string;
  earlier: string;
  later: string;
  /** Undefined: there are none on that side. */
  onEarlier?: () => void;
  onLater?: () => void;
}

export function Pager({ text, earlier, later, onEarlier, onLater }: Props) {
  return (
    <div class="pager">
      <IconButton icon={ChevronLeft} label={earlier} disabled={!onEarlier} onClick={() => onEarlier?.()} />
      <span>{text}</span>
      <IconButton icon={ChevronRight} label={later} disabled={!onLater} onClick={() => onLater?.()} />
    </div>
  );
}
