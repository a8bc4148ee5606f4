"""The pages of the dashboard, a module each; `frame` guards and renders them."""
