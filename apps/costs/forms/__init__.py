from apps.costs.forms.prices import ApprovalForm, PriceForm, RepricingForm, UploadForm

__all__ = ["ApprovalForm", "PriceForm", "RepricingForm", "UploadForm"]
