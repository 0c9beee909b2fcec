"""Typed parameters of decisions."""

from __future__ import annotations

from pydantic import Field, model_validator

from sparkify_kedro.framework.parameters import ParameterBlock


class Decision(ParameterBlock):
    """How many users to list: a number of them, what a budget pays for, or as many as are worth a contact."""

    contacts: int | None = Field(ge=1, description="users to list")
    budget: float | None = Field(gt=0, description="for contacts, in the currency of the costs")
    cost_per_contact: float = Field(ge=0, description="in any currency")
    save_rate: float | None = Field(gt=0, le=1, description="share of contacted churners who stay because of it")
    value_of_a_customer: float | None = Field(gt=0, description="what a customer who stays is worth")
    hold_out_share: float = Field(ge=0, lt=1, description="share of the listed users, by chance, who are not contacted")
    seed: int = Field(description="of the random numbers")
    most: int = Field(ge=1, le=100_000, description="the most users to list and explain, on the driver")
    reasons: int = Field(ge=1, le=20, description="of each listed user, at most")

    @property
    def value_of_a_churner(self) -> float | None:
        """What the contact of a user who would cancel brings; None where it is not known."""
        if self.save_rate is None or self.value_of_a_customer is None:
            return None
        return self.save_rate * self.value_of_a_customer

    @model_validator(mode="after")
    def _one_rule(self) -> Decision:
        if self.contacts is not None and self.budget is not None:
            raise ValueError("takes either contacts or budget: set the other one to null")
        if self.budget is not None and self.cost_per_contact == 0:
            raise ValueError("a budget needs a cost_per_contact above 0")
        if self.contacts is None and self.budget is None and self.value_of_a_churner is None:
            raise ValueError("needs contacts, a budget, or both save_rate and value_of_a_customer")
        return self
