// Buttons that are a picture, with their name for those who do not see it.
import type { IconNode } from "lucide";
import { Icon } from "./icon";

interface Props {
  icon: IconNode;
  label: string;
  onClick: () => void;
  disabled?: boolean;
  pressed?: boolean;
  expanded?: boolean;
  class?: string;
}

export function IconButton({ icon, label, onClick, disabled, pressed, expanded, class: extra }: Props) {
  return (
    <button
      type="button"
      class={`icon ${extra ?? ""}`}
      title={label}
      aria-label={label}
      aria-pressed={pressed}
      aria-expanded={expanded}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon of={icon} />
    </button>
  );
}
